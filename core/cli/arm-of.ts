import type { RunConfig } from "../src/config/run-config.js";
import { errors } from "../src/errors.js";
import type { RunDirectory } from "../src/store/run-directory.js";
import type { Job } from "./job-file.js";

/** A run to read: a single one, or one arm of an experiment. */
export interface ReadableRun {
  readonly name: string;
  readonly config: RunConfig;
  readonly directory: RunDirectory;
  readonly isArm: boolean;
}

/**
 * The arm of a run folder that was asked for, `otherwise` when none was; a single run has none to ask for.
 * @throws ARM_NOT_FOUND
 */
export function armOf(run: RunDirectory, job: Job, wanted: string | undefined, otherwise?: string): ReadableRun {
  if (job.kind === "run") {
    if (wanted !== undefined) throw errors.armNotFound({ run: run.id, found: wanted, known: [] });
    return { name: job.name, config: job.config, directory: run, isArm: false };
  }
  const arms = [{ name: "base", config: job.experiment.base }, ...job.experiment.arms];
  const found = wanted ?? otherwise ?? "";
  const arm = arms.find(({ name }) => name === found);
  if (!arm) throw errors.armNotFound({ run: run.id, found, known: arms.map(({ name }) => name) });
  return { ...arm, directory: run.armToRead(arm.name), isArm: true };
}
