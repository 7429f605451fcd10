import { rename } from "node:fs/promises";
import { existsSync } from "node:fs";
import type { RunConfig } from "../../src/config/run-config.js";
import type { StudyConfig } from "../../src/config/study-config.js";
import { RunDirectory } from "../../src/store/run-directory.js";
import { writeJob, type Job } from "../job-file.js";
import { findRunOf } from "../same-job.js";

/** One seed of one study: an experiment with a run folder of its own. */
export interface Unit {
  readonly study: StudyConfig;
  readonly seed: number;
  readonly directory: RunDirectory;
}

/**
 * The units of a study in their folders; one that was made before for the very same job is taken up, finished or not.
 *
 * @param root the folder of all runs of studies
 */
export async function unitsOf(
  study: StudyConfig,
  baseDirectory: string,
  seeds: readonly number[],
  root: string,
): Promise<readonly Unit[]> {
  const units: Unit[] = [];
  for (const seed of seeds) {
    const job = jobOf(study, baseDirectory, seed);
    const found = await findRunOf(root, job);
    const directory =
      found ?? (await RunDirectory.create({ root, name: job.name, about: { command: "troupe study" } }));
    if (found === undefined) await writeJob(directory, job);
    units.push({ study, seed, directory });
  }
  return units;
}

/** Whether a unit's results are on disk. */
export function isFinished({ directory }: Unit): boolean {
  return existsSync(directory.summary);
}

/** Puts the folder of earlier studies aside under the next free name. */
export async function putAside(root: string): Promise<void> {
  if (!existsSync(root)) return;
  let number = 1;
  while (existsSync(`${root}-${number}`)) number++;
  await rename(root, `${root}-${number}`);
}

/** A study's experiment with one seed. Every run computes on one thread: runs beside each other fill the cores. */
export function jobOf({ name, experiment }: StudyConfig, baseDirectory: string, seed: number): Job {
  const withSeed = (config: RunConfig): RunConfig => ({
    ...config,
    seed,
    policy: { ...config.policy, threads: 1 },
    rollout: { ...config.rollout, actors: 1 },
  });
  return {
    kind: "experiment",
    name: `${name}-seed-${seed}`,
    baseDirectory,
    experiment: {
      base: { ...withSeed(experiment.base), name: `${name}-seed-${seed}` },
      arms: experiment.arms.map((arm) => ({ ...arm, config: withSeed(arm.config) })),
    },
  };
}
