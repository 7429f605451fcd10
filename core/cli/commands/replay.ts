import type { Command } from "commander";
import { runsDirectory } from "../../src/config/paths.js";
import { errors } from "../../src/errors.js";
import { replay, type ReplayOptions } from "../../src/replay.js";
import { findCheckpoint } from "../../src/store/checkpoint.js";
import { findRun } from "../../src/store/run-directory.js";
import { armOf } from "../arm-of.js";
import { readJobOf } from "../job-file.js";
import { pathOrName } from "../path-or-name.js";
import { printTrainingReplay, withFirstWeights } from "../print-training-replay.js";
import { ReplayTally } from "../render/replay-tally.js";
import { wholeNumber } from "../whole-number.js";

interface ReplayFlags {
  readonly train?: boolean;
  readonly checkpoint?: string;
  readonly arm?: string;
  readonly to?: string;
  readonly plugin?: string;
  readonly from: string;
  readonly with?: string;
}

/** `troupe replay [RUN]`: decides every step again from its record, and compares. */
export function define(command: Command, program: Command): void {
  command
    .argument("[run]", "number, name or path; the latest run unless given")
    .option("--arm <name>", "arm of an experiment; the last one unless given")
    .option("--train", "take every update again too, and compare the weights with each checkpoint of the run")
    .option("--checkpoint <step>", "begin behind the checkpoint of this step instead of with the first step")
    .option("--to <step>", "last step")
    .option("--plugin <name=path>", "one plugin in another version: which rewards would have been different")
    .option("--from <step>", "first step with that version", "1")
    .addHelpText(
      "after",
      "\nWithout --plugin the same decisions are wanted, and with --train the same weights, float for float; the exit code\nis 5 when one differs.",
    )
    .action(async (wanted: string | undefined, flags: ReplayFlags) => {
      const run = await findRun(runsDirectory(), wanted);
      const job = readJobOf(run);
      const last = job.kind === "run" ? undefined : job.experiment.arms.at(-1)?.name;
      const { config, directory } = armOf(run, job, flags.arm, last ?? "base");
      const replace = replacementOf(flags);
      const options = {
        config,
        baseDirectory: job.baseDirectory,
        directory,
        ...(flags.checkpoint === undefined
          ? {}
          : { after: await findCheckpoint(directory, wholeNumber("--checkpoint", flags.checkpoint, 0)) }),
        ...(flags.to === undefined ? {} : { to: wholeNumber("--to", flags.to, 1) }),
      };
      const json = program.opts<{ json?: boolean }>().json === true;
      if (!flags.train) return printReplay({ ...options, ...(replace ? { replace } : {}) }, json);
      if (replace) throw errors.optionNotValid({ option: "--train", found: "--plugin …", wanted: "one of the two" });
      await printTrainingReplay(await withFirstWeights(options, job), json);
    });
}

function replacementOf({ plugin, from }: ReplayFlags): ReplayOptions["replace"] {
  if (plugin === undefined) return undefined;
  const [, name, path] = /^([^=]+)=(.+)$/.exec(plugin) ?? [];
  if (name === undefined || path === undefined)
    throw errors.optionNotValid({ option: "--plugin", found: plugin, wanted: "NAME=PATH" });
  return { plugin: name, use: pathOrName(path), from: wholeNumber("--from", from, 1) };
}

/** Replays and prints a line a step; sets exit code 5 when what must be equal is not. */
export async function printReplay(options: ReplayOptions, json: boolean): Promise<void> {
  const tally = new ReplayTally();
  for await (const decided of replay(options)) {
    if (decided.step < (options.replace?.from ?? 1)) continue;
    const records = tally.add(decided);
    if (json) for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
    else if (process.stderr.isTTY) process.stderr.write(`\rstep ${decided.step} …`);
  }
  if (process.stderr.isTTY && !json) process.stderr.write("\r\x1b[K");
  const total = tally.total();
  if (!options.replace && total.equal < total.samples) process.exitCode = 5;
  if (json) {
    process.stdout.write(`${JSON.stringify({ type: "replay", ...total })}\n`);
    return;
  }
  if (options.replace) process.stdout.write(`${tally.changes()}\n\n`);
  process.stdout.write(tally.words(options.directory.id));
}
