import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readJob } from "../../../core/cli/commands/run.js";
import { writeJob } from "../../../core/cli/job-file.js";
import { findRunOf } from "../../../core/cli/same-job.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const root = join(folder, "runs");

test("findRunOf() finds a job's run among others, past newer ones and past what it cannot read", async () => {
  const file = writeTinyRun(folder, TINY_RUN);
  const [wanted, other] = [readJob(file, ["seed=1"]), readJob(file, ["seed=2"])];
  expect(await findRunOf(root, wanted)).toBeUndefined();
  for (const job of [wanted, other]) await writeJob(await RunDirectory.create({ root, name: job.name }), job);
  const broken = await RunDirectory.create({ root, name: "broken" });
  writeFileSync(broken.config, "kind: something else\n");
  expect((await findRunOf(root, wanted))?.id).toBe("0001-tiny");
  expect((await findRunOf(root, other))?.id).toBe("0002-tiny");
  expect(await findRunOf(root, readJob(file, ["seed=3"]))).toBeUndefined();
});
