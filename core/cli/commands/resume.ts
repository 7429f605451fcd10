import type { Command } from "commander";
import { runsDirectory } from "../../src/config/paths.js";
import { findRun } from "../../src/store/run-directory.js";
import { executeJob } from "../execute-job.js";
import { readJobOf } from "../job-file.js";
import type { TrainingFlags } from "./run.js";

/** `troupe resume [RUN]`: goes on with a run where its newest checkpoint stands. */
export function define(command: Command, program: Command): void {
  command
    .argument("[run]", "number, name or path; the latest run unless given")
    .action(async (wanted: string | undefined) => {
      const directory = await findRun(runsDirectory(), wanted);
      await executeJob(readJobOf(directory), directory, {
        ...program.opts<TrainingFlags>(),
        command: `troupe resume ${directory.id}`,
      });
    });
}
