import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Command } from "commander";
import { runsDirectory } from "../../src/config/paths.js";
import { mean } from "../../src/numerics/statistics.js";
import { RunDirectory } from "../../src/store/run-directory.js";
import { executeJob } from "../execute-job.js";
import { writeJob, type Job } from "../job-file.js";
import { count, percent, unitShare } from "../render/quantities.js";
import { textTable } from "../render/table.js";
import { findRunOf } from "../same-job.js";
import type { ArmSummary } from "../summarise.js";
import { wholeNumber } from "../whole-number.js";
import { readJob, type TrainingFlags } from "./run.js";

/** `troupe demo`: one tiny policy learns to reason, several ways, beside each other. */
export function define(command: Command, program: Command): void {
  command
    .argument("[settings...]", "settings laid over the demo's, as in train.tokenBudget=200000")
    .option("--seeds <count>", "repeat with this many seeds, one after the other, and show all", "1")
    .option("--seed <number>", "first seed")
    .option("--new", "start afresh, even when the same demo was interrupted before")
    .action(async (settings: readonly string[], options: { seeds: string; seed?: string; new?: boolean }) => {
      const flags = program.opts<TrainingFlags>();
      const file = demoFile();
      const first = options.seed === undefined ? undefined : wholeNumber("--seed", options.seed, 0);
      const seeds = wholeNumber("--seeds", options.seeds, 1);
      const results: { seed: number; arms: readonly ArmSummary[] }[] = [];
      for (let index = 0; index < seeds; index++) {
        const base = readJob(file, settings);
        const seed = (first ?? (base.kind === "experiment" ? base.experiment.base.seed : 1)) + index;
        const job = readJob(file, [...settings, `seed=${seed}`]);
        const command = `troupe demo ${[...settings, `--seed ${seed}`].join(" ")}`;
        const directory =
          (options.new ? undefined : await earlier(job, seeds > 1)) ?? (await startFolder(job, command));
        const { outcome, arms } = await executeJob(job, directory, { ...flags, command });
        if (outcome === "interrupted") return;
        results.push({ seed, arms });
      }
      if (flags.json) return;
      if (results.length > 1) process.stderr.write(`\n${seedsTable(results)}\n`);
      process.stderr.write(NEXT);
    });
}

const NEXT = `
next        troupe inspect                       read what it answered
            troupe run examples/gsm8k-calculations.yaml data.path=FILE
            troupe plugin list                   what can be combined; write your own: core/docs/hooks.md
`;

/** A run of this very job to go on with, or, for a row of seeds, one whose results are there. */
async function earlier(job: Job, isOneOfMany: boolean): Promise<RunDirectory | undefined> {
  const found = await findRunOf(runsDirectory(), job);
  if (!found) return undefined;
  const isFinished = existsSync(found.summary);
  if (isFinished && !isOneOfMany) return undefined;
  const what = isFinished ? `taking the results of ${found.id}` : `going on with ${found.id}, which was interrupted`;
  process.stderr.write(`${what}; troupe demo --new starts afresh\n`);
  return found;
}

async function startFolder(job: Job, command: string): Promise<RunDirectory> {
  const directory = await RunDirectory.create({ root: runsDirectory(), name: job.name, about: { command } });
  await writeJob(directory, job);
  return directory;
}

/** The demo's config: data of the examples package, so no method is named here. */
export function demoFile(): string {
  return join(createRequire(import.meta.url).resolve("@troupe/examples/package.json"), "..", "demo", "demo.yaml");
}

function seedsTable(results: readonly { seed: number; arms: readonly ArmSummary[] }[]): string {
  const rows = results.flatMap(({ seed, arms }) => arms.map((arm) => ({ seed, arm })));
  const names = [...new Set(rows.map(({ arm }) => arm.name))];
  const over = names.map((name) => {
    const own = rows.filter(({ arm }) => arm.name === name).map(({ arm }) => arm);
    return `${name}: accuracy ${unitShare(mean(own.map(({ accuracy }) => accuracy)))}, thinking-free ${unitShare(mean(own.map(({ accuracyThinkFree }) => accuracyThinkFree)))} (mean of ${own.length} seeds)`;
  });
  const table = textTable(rows, [
    { title: "seed", align: "right", cell: ({ seed }) => String(seed) },
    { title: "arm", cell: ({ arm }) => arm.name },
    {
      title: "accuracy (95 %)",
      cell: ({ arm }) => `${unitShare(arm.accuracy)} (${arm.ci95.map(unitShare).join("-")})`,
    },
    { title: "tokens", align: "right", cell: ({ arm }) => count(arm.tokensPerAnswer) },
    {
      title: "think-free (95 %)",
      cell: ({ arm }) => `${unitShare(arm.accuracyThinkFree)} (${arm.ci95ThinkFree.map(unitShare).join("-")})`,
    },
    { title: "tokens", align: "right", cell: ({ arm }) => count(arm.tokensPerAnswerThinkFree) },
    { title: "thinks", align: "right", cell: ({ arm }) => percent(arm.thinkRate) },
  ]);
  return `${table}\n\n${over.join("\n")}`;
}
