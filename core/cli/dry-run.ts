import { resolve } from "node:path";
import type { RunConfig } from "../src/config/run-config.js";
import { engineModule, loadEngine } from "../src/engines/load-engine.js";
import { checkMemory, memoryText } from "../src/engines/memory-check.js";
import { parameterCount, readModelShape } from "../src/engines/model-shape.js";
import { Tokenizer } from "../src/engines/tokenizer.js";
import { TroupeError } from "../src/error-catalogue.js";
import { loadEnvironment } from "../src/environments/environment-loader.js";
import { checkLossSettings } from "../src/hooks/loss-settings.js";
import { planLoaded } from "../src/hooks/planner.js";
import { readTexts } from "../src/read-texts.js";
import { checkModes, loadPlugins } from "../src/run-parts.js";
import type { Job } from "./job-file.js";
import { previewStages, type PreviewedStage } from "./preview-stages.js";
import { hookColumns } from "./render/hook-columns.js";
import { truncate } from "./render/printable.js";
import { significant } from "./render/quantities.js";
import { textTable, type Column } from "./render/table.js";

/**
 * Checks everything that can be checked without training, and prints what would run: the stages as the plugins plan them,
 * the pipeline of hooks, memory and cost.
 *
 * @throws MEMORY_TOO_SMALL once all of it is printed, and what loading anything throws
 */
export async function dryRun(job: Job, json: boolean): Promise<void> {
  let tooSmall: TroupeError | undefined;
  for (const { name, config } of runsOf(job)) {
    const described = await describe(name, config, job.baseDirectory);
    tooSmall ??= described.tooSmall;
    const { text } = described;
    process.stdout.write(json ? `${JSON.stringify({ type: "plan", name, config, text })}\n` : `${text}\n\n`);
  }
  if (tooSmall) throw tooSmall;
  if (!json) process.stdout.write("dry run: everything above was loaded and checked; nothing was started\n");
}

/** Checks the same and prints nothing. @throws what `dryRun` throws */
export async function checkJob(job: Job): Promise<void> {
  for (const { name, config } of runsOf(job)) {
    const { tooSmall } = await describe(name, config, job.baseDirectory);
    if (tooSmall) throw tooSmall;
  }
}

function runsOf(job: Job): readonly { readonly name: string; readonly config: RunConfig }[] {
  return job.kind === "run"
    ? [{ name: job.name, config: job.config }]
    : [{ name: "base", config: job.experiment.base }, ...job.experiment.arms];
}

interface Description {
  readonly text: string;
  /** What keeps the run from starting on this machine. */
  readonly tooSmall: TroupeError | undefined;
}

async function describe(name: string, config: RunConfig, baseDirectory: string): Promise<Description> {
  const policy = resolve(baseDirectory, config.policy.from);
  const tokenizer = Tokenizer.fromDirectory(policy);
  const shape = readModelShape(policy, tokenizer.vocabSize);
  const environment = await loadEnvironment(config.environment.use, config.environment.with, baseDirectory);
  const context = { baseDirectory, seed: config.seed, reader: readTexts({ config, baseDirectory, tokenizer }, false) };
  const train = await environment.definition.taskset(environment.config, "train", context);
  const held = await environment.definition.taskset(environment.config, "eval", context);
  const loaded = await loadPlugins(config.plugins, baseDirectory);
  checkLossSettings(config.loss, loaded);
  const plugins = loaded.map(({ plugin }) => plugin);
  checkModes(config.eval.modes, [...loaded, ...(await loadPlugins(config.eval.plugins, baseDirectory))]);
  const module = await loadEngine(engineModule(config.policy.engine, baseDirectory));
  const memory = memoryOf(module, config, shape);
  const first = train.at(0);
  const prompt = tokenizer.render(first.prompt);
  const { steps, tokenBudget } = config.train;
  const hooks = planLoaded(loaded);
  const stages = previewStages(config, loaded, train);
  const lines = [
    `${name}`,
    `  policy       ${shape.layers} layers, width ${shape.hiddenSize}, ${shape.vocabSize} tokens, from ${policy}`,
    `  environment  ${environment.definition.name} ${environment.definition.version}: ${train.size} train tasks, ${Math.min(held.size, config.eval.tasks)} of ${held.size} held-out tasks`,
    `  first task   ${JSON.stringify(prompt.context + prompt.assistantPrefix)} → ${truncate(JSON.stringify(first.reference), 100)}`,
    `  steps        ${steps} at most${tokenBudget > 0 ? `, or ${tokenBudget} sampled tokens` : ""}`,
    ...(stages.length > 0 ? [indent(textTable(stages, STAGE_COLUMNS))] : []),
    ...(memory.text === "" ? [] : [`  memory       ${memory.text}`]),
    ...(stages.length > 0 ? [`  cost         ${costText(stages, tokenBudget, parameterCount(shape))}`] : []),
    `  plugins      ${plugins.map((plugin) => `${plugin.name} ${plugin.version}`).join(", ") || "none: group-normalised advantage, clipped token-mean loss"}`,
    ...(hooks.length > 0 ? [indent(textTable(hooks, hookColumns(hooks)))] : []),
  ];
  return { text: lines.join("\n"), tooSmall: memory.tooSmall };
}

/** What the run holds in memory; where that is too much, the rest of the plan is worth seeing first. */
function memoryOf(...input: Parameters<typeof checkMemory>): Description {
  try {
    const report = checkMemory(...input);
    return { text: report ? memoryText(report) : "", tooSmall: undefined };
  } catch (error) {
    if (!(error instanceof TroupeError) || error.code !== "MEMORY_TOO_SMALL") throw error;
    return { text: "more than this machine has; see the end", tooSmall: error };
  }
}

const STAGE_COLUMNS: readonly Column<PreviewedStage>[] = [
  { title: "steps", cell: ({ from, to }) => `${from} to ${to}` },
  { title: "stage", cell: ({ first }) => first.stage },
  { title: "tokens", align: "right", cell: ({ first }) => String(first.maxTokens) },
  {
    title: "tasks × answers",
    align: "right",
    cell: ({ first: { promptsPerStep, groupSize } }) =>
      `${promptsPerStep} × ${groupSize} = ${promptsPerStep * groupSize}`,
  },
  { title: "updates", align: "right", cell: ({ first }) => String(first.updatesPerBatch) },
  { title: "learning rate", align: "right", cell: (stage) => moving(stage, "learningRate") },
  { title: "temperature", align: "right", cell: (stage) => moving(stage, "temperature") },
];

function moving({ first, last }: PreviewedStage, field: "learningRate" | "temperature"): string {
  const [from, to] = [first[field], last[field]].map(significantOrSmall);
  return from === to ? String(from) : `${from} to ${to}`;
}

function significantOrSmall(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential().replace(/(\.\d{2})\d+/, "$1")
    : significant(value);
}

/** Sampled tokens and arithmetic at most: a forward pass takes 2 operations a parameter and token, an update 6. */
function costText(stages: readonly PreviewedStage[], tokenBudget: number, parameters: number): string {
  const most = stages.reduce((sum, { tokens }) => sum + tokens, 0);
  const tokens = tokenBudget > 0 ? Math.min(most, tokenBudget) : most;
  const operations = 8 * parameters * tokens;
  const hours = operations / 1e15 / 3600;
  return `at most ${tokens.toExponential(1)} sampled tokens where no group is sampled again: ${operations.toExponential(1)} operations to sample and learn, ${hours < 0.1 ? "under 0.1" : significant(hours)} hours at 10^15 a second; evaluation and attention come on top`;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
