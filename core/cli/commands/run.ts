import { resolve } from "node:path";
import type { Command } from "commander";
import { isExperimentFile, loadExperiment } from "../../src/config/experiment-config.js";
import { loadConfig } from "../../src/config/load-config.js";
import { runsDirectory } from "../../src/config/paths.js";
import { runConfigSchema } from "../../src/config/run-config.js";
import { RunDirectory } from "../../src/store/run-directory.js";
import { dryRun } from "../dry-run.js";
import { executeJob } from "../execute-job.js";
import { writeJob, type Job } from "../job-file.js";

/** Options that every command that trains shares. */
export interface TrainingFlags {
  readonly json?: boolean;
  readonly plain?: boolean;
}

/** `troupe run CONFIG [key=value …]`: trains what a config file says. */
export function define(command: Command, program: Command): void {
  command
    .argument("<config>", "YAML or TypeScript file of a run, or of an experiment with arms")
    .argument("[settings...]", "settings laid over the file, as in train.steps=100")
    .option("--dry-run", "check everything, print the plan, start nothing")
    .addHelpText(
      "after",
      "\nExample:\n  troupe run examples/gsm8k.yaml data.path=../shared/data/gsm8k_train.jsonl --dry-run",
    )
    .action(async (file: string, settings: readonly string[], options: { dryRun?: boolean }) => {
      const job = readJob(file, settings);
      if (options.dryRun) return dryRun(job, program.opts<TrainingFlags>().json === true);
      await startJob(job, program.opts<TrainingFlags>(), `troupe run ${[file, ...settings].join(" ")}`);
    });
}

/** Reads a run or an experiment with settings laid over it, as `wholePaths` writes them out. */
export function readJob(file: string, settings: readonly string[]): Job {
  const full = wholePaths(file, settings);
  if (isExperimentFile(file)) {
    const { config, baseDirectory } = loadExperiment(file, full);
    return { kind: "experiment", name: config.base.name, experiment: config, baseDirectory };
  }
  const { config, baseDirectory } = loadConfig(file, full, runConfigSchema);
  return { kind: "run", name: config.name, config, baseDirectory };
}

/**
 * Settings as they are typed, with their whole paths: those of an experiment are its base's unless they name an arm, and
 * `data.…` is short for the environment's own `data` settings.
 */
export function wholePaths(file: string, settings: readonly string[]): readonly string[] {
  const prefix = isExperimentFile(file) ? "base." : "";
  return settings.map((setting) => {
    // A file named on the command line is looked for where the command was typed.
    const [, path, file] = /^((?:.*\.)?(?:data\.path|policy\.from))=(.*)$/.exec(setting) ?? [];
    const found = path === undefined || file === undefined ? setting : `${path}=${resolve(file)}`;
    if (found.startsWith("data.")) return `${prefix}environment.with.${found}`;
    return found.startsWith("base.") || found.startsWith("arms.") ? found : prefix + found;
  });
}

/** Makes a run folder for a job and executes it. */
export async function startJob(job: Job, flags: TrainingFlags, command: string): Promise<void> {
  const directory = await RunDirectory.create({ root: runsDirectory(), name: job.name, about: { command } });
  await writeJob(directory, job);
  try {
    await executeJob(job, directory, { ...flags, command });
  } catch (error) {
    // A run that could not begin would be the latest, and `troupe resume` would fail in the same way.
    if (await directory.discardUnlessBegun())
      process.stderr.write(`nothing had begun, and ${directory.id} is gone again\n`);
    throw error;
  }
}
