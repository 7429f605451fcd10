import type { Command } from "commander";
import { resolve } from "node:path";
import { runsDirectory } from "../../src/config/paths.js";
import { errors } from "../../src/errors.js";
import { mean } from "../../src/numerics/statistics.js";
import { replay, type ReplayedSample, type ReplayOptions } from "../../src/replay.js";
import { findRun } from "../../src/store/run-directory.js";
import { armOf } from "../arm-of.js";
import { readJobOf } from "../job-file.js";
import { textTable } from "../render/table.js";
import { wholeNumber } from "../whole-number.js";

interface ReplayFlags {
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
    .option("--to <step>", "last step")
    .option("--plugin <name=path>", "one plugin in another version: which rewards would have been different")
    .option("--from <step>", "first step with that version", "1")
    .addHelpText(
      "after",
      "\nWithout --plugin the same decisions are wanted, float for float; the exit code is 5 when one differs.",
    )
    .action(async (wanted: string | undefined, flags: ReplayFlags) => {
      const run = await findRun(runsDirectory(), wanted);
      const job = readJobOf(run);
      const last = job.kind === "run" ? undefined : job.experiment.arms.at(-1)?.name;
      const { config, directory } = armOf(run, job, flags.arm, last ?? "base");
      const replace = replacementOf(flags);
      await printReplay(
        {
          config,
          baseDirectory: job.baseDirectory,
          directory,
          ...(flags.to === undefined ? {} : { to: wholeNumber("--to", flags.to, 1) }),
          ...(replace ? { replace } : {}),
        },
        program.opts<{ json?: boolean }>().json === true,
      );
    });
}

function replacementOf({ plugin, from }: ReplayFlags): ReplayOptions["replace"] {
  if (plugin === undefined) return undefined;
  const [, name, path] = /^([^=]+)=(.+)$/.exec(plugin) ?? [];
  if (name === undefined || path === undefined)
    throw errors.optionNotValid({ option: "--plugin", found: plugin, wanted: "NAME=PATH" });
  const use = /^\.{0,2}\//.test(path) ? resolve(path) : path;
  return { plugin: name, use, from: wholeNumber("--from", from, 1) };
}

/** One step in numbers. */
interface Line {
  readonly step: number;
  readonly samples: number;
  readonly equal: number;
  /** Mean rewards. */
  readonly recorded: number;
  readonly replayed: number;
  readonly rewardsChanged: number;
  readonly decisionsChanged: number;
  readonly largestChange: number;
}

/** Replays and prints a line a step; sets exit code 5 when what must be equal is not. */
export async function printReplay(options: ReplayOptions, json: boolean): Promise<void> {
  const lines: Line[] = [];
  const changed: { readonly step: number; readonly sample: ReplayedSample }[] = [];
  for await (const { step, samples } of replay(options)) {
    if (step < (options.replace?.from ?? 1)) continue;
    const line = lineOf(step, samples);
    lines.push(line);
    const differing = samples.filter(({ isEqual }) => !isEqual);
    changed.push(...differing.map((sample) => ({ step, sample })));
    if (json) {
      process.stdout.write(`${JSON.stringify({ type: "replayed", ...line })}\n`);
      for (const sample of differing)
        process.stdout.write(`${JSON.stringify({ type: "difference", step, ...sample })}\n`);
    } else if (process.stderr.isTTY) process.stderr.write(`\rstep ${step} …`);
  }
  if (process.stderr.isTTY && !json) process.stderr.write("\r\x1b[K");
  const total = (of: (line: Line) => number): number => lines.reduce((sum, line) => sum + of(line), 0);
  const samples = total((line) => line.samples);
  const equal = total((line) => line.equal);
  if (!options.replace && equal < samples) process.exitCode = 5;
  if (json) {
    process.stdout.write(`${JSON.stringify({ type: "replay", steps: lines.length, samples, equal })}\n`);
    return;
  }
  if (options.replace) process.stdout.write(`${changeTable(lines)}\n\n`);
  process.stdout.write(
    `${options.directory.id}: ${lines.length} steps, ${samples} samples, ${equal} with the same reward, decision and advantages, float for float\n`,
  );
  for (const { step, sample } of changed.slice(0, 5))
    process.stdout.write(
      `  ${sample.id} (step ${step}): reward ${sample.reward.recorded} → ${sample.reward.replayed}, ${sample.decision.recorded} → ${sample.decision.replayed}, advantage ${short(sample.advantage.recorded)} → ${short(sample.advantage.replayed)}\n`,
    );
  if (changed.length > 5) process.stdout.write(`  … and ${changed.length - 5} more (--json lists all)\n`);
}

function lineOf(step: number, samples: readonly ReplayedSample[]): Line {
  const differences = samples.map(({ reward }) => Math.abs(reward.replayed - reward.recorded));
  return {
    step,
    samples: samples.length,
    equal: samples.filter(({ isEqual }) => isEqual).length,
    recorded: mean(samples.map(({ reward }) => reward.recorded)),
    replayed: mean(samples.map(({ reward }) => reward.replayed)),
    rewardsChanged: differences.filter((difference) => difference > 0).length,
    decisionsChanged: samples.filter(({ decision }) => decision.recorded !== decision.replayed).length,
    largestChange: Math.max(0, ...differences),
  };
}

function changeTable(lines: readonly Line[]): string {
  return textTable(lines.slice(-20), [
    { title: "step", align: "right", cell: ({ step }) => String(step) },
    { title: "mean reward", align: "right", cell: ({ recorded }) => recorded.toFixed(3) },
    { title: "→", align: "right", cell: ({ replayed }) => replayed.toFixed(3) },
    {
      title: "rewards changed",
      align: "right",
      cell: ({ rewardsChanged, samples }) => `${rewardsChanged} of ${samples}`,
    },
    { title: "largest", align: "right", cell: ({ largestChange }) => largestChange.toFixed(3) },
    { title: "kept or dropped otherwise", align: "right", cell: ({ decisionsChanged }) => String(decisionsChanged) },
  ]);
}

function short(value: number | null): string {
  return value === null ? "none" : value.toFixed(3);
}
