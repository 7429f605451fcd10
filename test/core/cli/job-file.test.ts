import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readJobOf, writeJob, type Job } from "../../../core/cli/job-file.js";
import { readJob } from "../../../core/cli/commands/run.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";

const folder = temporaryFolder();

async function roundTrip(job: Job): Promise<Job> {
  const directory = await RunDirectory.create({ root: join(folder, "runs"), name: job.name });
  await writeJob(directory, job);
  return readJobOf(directory);
}

describe("writeJob() and readJobOf()", () => {
  test("keep a run and an experiment as they are, with every default written out", async () => {
    const run = readJob(writeTinyRun(folder, TINY_RUN), ["train.steps=3"]);
    expect(run).toMatchObject({ kind: "run", config: { train: { steps: 3, beta1: 0.9 } } });
    expect(await roundTrip(run)).toEqual(run);
    const experiment = readJob(writeTinyRun(folder, { base: TINY_RUN, arms: { one: { plugins: ["a"] }, two: {} } }), [
      "seed=4",
    ]);
    expect(experiment).toMatchObject({
      kind: "experiment",
      experiment: { base: { seed: 4 }, arms: [{ name: "one" }, { name: "two" }] },
    });
    expect(await roundTrip(experiment)).toEqual(experiment);
  });

  test("refuse with RUN_CONFIG_UNREADABLE a file that is missing or was changed by hand", async () => {
    const directory = await RunDirectory.create({ root: join(folder, "runs"), name: "broken" });
    expect(() => readJobOf(directory)).toThrow(expect.objectContaining({ code: "RUN_CONFIG_UNREADABLE", exitCode: 4 }));
    writeFileSync(directory.config, "kind: run\nname: x\n");
    expect(() => readJobOf(directory)).toThrow(`Cannot read "${directory.config}": baseDirectory: `);
  });
});

describe("readJob()", () => {
  test("takes data settings for the environment's, and a data path from where the command was typed", () => {
    const job = readJob(writeTinyRun(folder, TINY_RUN), ["data.path=problems.jsonl", "data.limit=5"]);
    expect(job).toMatchObject({
      config: { environment: { with: { data: { path: join(process.cwd(), "problems.jsonl"), limit: 5 } } } },
    });
  });
});
