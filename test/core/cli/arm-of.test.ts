import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { armOf } from "../../../core/cli/arm-of.js";
import { readJob } from "../../../core/cli/commands/run.js";
import { dryRun } from "../../../core/cli/dry-run.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";

const folder = temporaryFolder();

test("armOf() refuses an arm that a run has not, and makes no folder", async () => {
  const run = await RunDirectory.create({ root: join(folder, "runs"), name: "a" });
  const experiment = readJob(writeTinyRun(folder, { base: TINY_RUN, arms: { one: {} } }), []);
  const refusal = expect.objectContaining({ code: "ARM_NOT_FOUND" });
  expect(() => armOf(run, experiment, "zzz")).toThrow(refusal);
  expect(armOf(run, experiment, undefined, "one")).toMatchObject({ name: "one", isArm: true });
  expect(existsSync(join(run.path, "arms"))).toBe(false);
  const single = readJob(writeTinyRun(folder, TINY_RUN), []);
  expect(() => armOf(run, single, "one")).toThrow(refusal);
  expect(armOf(run, single, undefined)).toMatchObject({ name: "tiny", isArm: false });
});

test.each([
  ["eval.modes=[zzz]", "EVALUATION_MODE_UNKNOWN"],
  ["eval.plugins=[zzz]", "MODULE_NOT_FOUND"],
  ["policy.engine=zzz", "ENGINE_NOT_FOUND"],
])("dryRun() refuses %s", async (setting, code) => {
  await expect(dryRun(readJob(writeTinyRun(folder, TINY_RUN), [setting]), true)).rejects.toMatchObject({ code });
});
