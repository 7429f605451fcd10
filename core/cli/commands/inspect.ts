import type { Command } from "commander";
import { resolve } from "node:path";
import { runsDirectory } from "../../src/config/paths.js";
import { Tokenizer } from "../../src/engines/tokenizer.js";
import { errors } from "../../src/errors.js";
import { readDropped } from "../../src/store/retention.js";
import { listRollouts, readRollouts, readTrajectory, type RolloutRecord } from "../../src/store/rollouts.js";
import { findRun, type RunDirectory } from "../../src/store/run-directory.js";
import { armOf } from "../arm-of.js";
import { readJobOf } from "../job-file.js";
import { answerOf } from "../render/answer-of.js";
import { HEATS, type Heat } from "../render/heat.js";
import { paintFor } from "../render/paint.js";
import { oneLine, truncate } from "../render/printable.js";
import { rolloutView } from "../render/rollout-view.js";
import { textTable } from "../render/table.js";
import { wholeNumber } from "../whole-number.js";

interface InspectFlags {
  readonly arm?: string;
  readonly step?: string;
  readonly mode?: string;
  readonly failed?: boolean;
  readonly think?: boolean;
  readonly heat?: string;
  readonly limit: string;
}

/** `troupe inspect [RUN] [ID]`: the rollouts of a step as a table, or one rollout with everything that touched it. */
export function define(command: Command, program: Command): void {
  command
    .argument("[run]", "number, name or path; the latest run unless given")
    .argument("[id]", "id of a rollout, as the table shows it")
    .option("--arm <name>", "arm of an experiment; the last one unless given")
    .option("--step <number>", "step; the newest stored unless given")
    .option("--mode <name>", "held-out rollouts of this evaluation mode instead of training's")
    .option("--failed", "only rollouts whose verdict is not pass")
    .option("--think", "show the thinking unfolded")
    .option("--heat <quantity>", "colour tokens by logprob, entropy or advantage")
    .option("--limit <count>", "rows of the table", "20")
    .action(async (wanted: string | undefined, id: string | undefined, flags: InspectFlags) => {
      const run = await findRun(runsDirectory(), wanted);
      const job = readJobOf(run);
      const last = job.kind === "run" ? undefined : job.experiment.arms.at(-1)?.name;
      const { name, config, directory, isArm } = armOf(run, job, flags.arm, last ?? "base");
      const arm = isArm ? name : undefined;
      const heat = flags.heat === undefined ? undefined : heatOf(flags.heat);
      const limit = wholeNumber("--limit", flags.limit, 1);
      const given = flags.step === undefined ? undefined : wholeNumber("--step", flags.step, 0);
      const json = program.opts<{ json?: boolean }>().json === true;
      if (id !== undefined) {
        return showOne(directory, id, { ...flags, heat }, json, resolve(job.baseDirectory, config.policy.from));
      }
      const step = given ?? (await newestStep(directory, flags.mode));
      if (!(await hasStep(directory, step, flags.mode)))
        throw errors.rolloutNotFound({
          wanted: `rollouts of step ${step}`,
          run: directory.id,
          dropped: await droppedTo(directory, step),
        });
      const records = (await readRollouts(directory.rollouts, step, flags.mode)).filter(
        ({ verdict }) => !flags.failed || verdict.kind !== "pass",
      );
      if (json)
        for (const record of records) process.stdout.write(`${JSON.stringify({ type: "rollout", ...record })}\n`);
      else
        process.stdout.write(
          `${run.id}${arm === undefined ? "" : ` ${arm}`}, step ${step}: ${records.length} rollouts\n${table(records.slice(0, limit))}\n\none of them: troupe inspect ${run.id} ID${arm === undefined ? "" : ` --arm ${arm}`} --think\n`,
        );
    });
}

function heatOf(text: string): Heat {
  const heat = HEATS.find((known) => known === text);
  if (!heat) throw errors.optionNotValid({ option: "--heat", found: text, wanted: `one of ${HEATS.join(", ")}` });
  return heat;
}

async function hasStep(directory: RunDirectory, step: number, mode: string | undefined): Promise<boolean> {
  const prefix = mode === undefined ? "" : `eval-${mode}-`;
  return (await listRollouts(directory.rollouts)).some(
    (name) => name.startsWith(prefix) && name.slice(prefix.length) === String(step).padStart(6, "0"),
  );
}

/** The newest step whose rollouts had to go, where the wanted one is among them. */
async function droppedTo(directory: RunDirectory, step: number): Promise<number | undefined> {
  const { rolloutsTo } = await readDropped(directory);
  return step <= rolloutsTo ? rolloutsTo : undefined;
}

async function newestStep(directory: RunDirectory, mode: string | undefined): Promise<number> {
  const prefix = mode === undefined ? "" : `eval-${mode}-`;
  const steps = (await listRollouts(directory.rollouts)).filter(
    (name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)),
  );
  const last = steps.toSorted().at(-1);
  if (last === undefined)
    throw errors.rolloutNotFound({
      wanted: mode === undefined ? "rollouts" : `rollouts of mode "${mode}"`,
      run: directory.id,
    });
  return Number(last.slice(prefix.length));
}

async function showOne(
  directory: RunDirectory,
  id: string,
  flags: { readonly think?: boolean; readonly heat: Heat | undefined },
  json: boolean,
  policy: string,
): Promise<void> {
  const found = await readTrajectory(directory.rollouts, id);
  if (!found) {
    const step = Number(/^(?:eval\/[^/]+\/)?(\d+)\//.exec(id)?.[1] ?? Infinity);
    const dropped = await droppedTo(directory, step);
    throw errors.rolloutNotFound({ wanted: `rollout "${id}"`, run: directory.id, dropped });
  }
  if (json) {
    process.stdout.write(`${JSON.stringify({ type: "rollout", ...found.record })}\n`);
    return;
  }
  const paint = paintFor(process.stdout);
  const pieces = (): readonly string[] => {
    const tokenizer = Tokenizer.fromDirectory(policy);
    return Array.from(found.tokens.tokens.subarray(found.record.promptTokens), (token) =>
      tokenizer.decode(Int32Array.of(token)),
    );
  };
  const view = rolloutView(found.record, {
    width: Math.min(process.stdout.columns ?? 80, 120),
    paint,
    hasColour: paint("bold", "x") !== "x",
    showThinking: flags.think === true,
    ...(flags.heat === undefined ? {} : { heat: { by: flags.heat, tokens: found.tokens, pieces: pieces() } }),
  });
  process.stdout.write(`${view}\n`);
}

function table(records: readonly RolloutRecord[]): string {
  return textTable(records, [
    { title: "id", cell: ({ id }) => id },
    { title: "task", cell: ({ task }) => truncate(oneLine(task), 24) },
    { title: "verdict", cell: ({ verdict }) => verdict.kind },
    { title: "reason", cell: ({ verdict }) => truncate(oneLine(verdict.reason), 32) },
    { title: "reward", align: "right", cell: ({ reward }) => rewardText(reward) },
    { title: "tokens", align: "right", cell: ({ responseTokens }) => String(responseTokens) },
    { title: "cut", cell: ({ truncated }) => (truncated ? "✂" : "") },
    { title: "answer", cell: (record) => answerOf(record, 40) },
  ]);
}

/** Two decimals, and more for a small reward that is not nothing. */
function rewardText(reward: number): string {
  return reward !== 0 && Math.abs(reward) < 0.005 ? reward.toPrecision(1) : reward.toFixed(2);
}
