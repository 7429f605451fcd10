import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { executeJob } from "../../../core/cli/execute-job.js";
import { readJob } from "../../../core/cli/commands/run.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";

const folder = temporaryFolder();

test("executeJob() prints the summary of a finished experiment and changes nothing", async () => {
  mkdirSync(join(folder, "runs"));
  const job = readJob(writeTinyRun(folder, { base: TINY_RUN, arms: { one: {} } }), []);
  const directory = await RunDirectory.create({ root: join(folder, "runs"), name: "done" });
  // JSON has no NaN: what was not measured is null.
  const arm = { name: "base", accuracy: 0.5, ci95: [0.4, 0.6], accuracyThinkFree: null, ci95ThinkFree: [null, null] };
  const rest = { tokensPerAnswer: 3, tokensPerAnswerThinkFree: null, thinkRate: 0, trainTokens: 0, seconds: 1 };
  const text = JSON.stringify({ arms: [{ ...arm, ...rest, modes: [] }], n: 12, wallSeconds: 7 });
  writeFileSync(directory.summary, text);
  let out = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => ((out += String(chunk)), true));
  const { outcome, arms } = await executeJob(job, directory, { json: true, command: "troupe resume" });
  write.mockRestore();
  expect(outcome).toBe("finished");
  expect(arms[0]?.accuracyThinkFree).toBeNaN();
  expect(JSON.parse(out)).toMatchObject({ type: "summary", wallSeconds: 7, arms: [{ accuracyThinkFree: null }] });
  expect(readFileSync(directory.summary, "utf8")).toBe(text);
});
