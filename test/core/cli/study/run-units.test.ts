import { join } from "node:path";
import { expect, test } from "vitest";
import { writeJob } from "../../../../core/cli/job-file.js";
import { runUnits } from "../../../../core/dist/cli/study/run-units.js";
import { loadConfig } from "../../../../core/src/config/load-config.js";
import { runConfigSchema } from "../../../../core/src/config/run-config.js";
import type { StudyConfig } from "../../../../core/src/config/study-config.js";
import { RunDirectory } from "../../../../core/src/store/run-directory.js";
import { stepsOf } from "../../../support/run-traces.js";
import { temporaryFolder } from "../../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../../support/tiny-run.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;

test("runUnits() waits for a process that takes a run between its look and its start", async () => {
  const settings = { ...TINY, train: { ...TINY.train, steps: 1 }, eval: { tasks: 1, every: 0 } };
  const { config, baseDirectory } = loadConfig(writeTinyRun(folder, settings), [], runConfigSchema);
  const directory = await RunDirectory.create({ root: join(folder, "runs"), name: "tiny" });
  await writeJob(directory, { kind: "run", name: "tiny", config, baseDirectory });
  const lock = await directory.lock();
  const look = directory.liveAttempt.bind(directory);
  let looks = 0;
  directory.liveAttempt = async () => {
    looks += 1;
    // On its way at the first look; at the second it has the run, and then it ends.
    if (looks === 1) return undefined;
    const found = await look();
    if (looks === 2) await lock.release();
    return found;
  };
  // Of a study only what its runs' shares of the work are counted by.
  const study = { name: "tiny", experiment: { base: config, arms: [] } } as unknown as StudyConfig;
  await runUnits([{ study, seed: 7, directory }], 1, new AbortController().signal, () => {});
  expect(looks).toBe(3);
  expect(stepsOf(directory.path)).toEqual([1]);
});
