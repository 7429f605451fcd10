import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";
import { runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const { distill: _, ...tiny } = TINY_RUN;

test("troupe run leaves no run behind when it could not begin, so that the latest is one that did", async () => {
  const file = writeTinyRun(folder, tiny);
  const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
  const end = await runTroupe(["run", file, "policy.from=nowhere"], folders);
  expect(end).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("TOKENIZER_NOT_VALID") });
  expect(end.stderr).toContain("nothing had begun, and 0001-tiny is gone again");
  expect(readdirSync(folders.runs)).toEqual([]);
});
