import { resolve } from "node:path";
import type { RunConfig } from "../src/config/run-config.js";
import { engineModule, loadEngine } from "../src/engines/load-engine.js";
import { checkMemory, memoryText } from "../src/engines/memory-check.js";
import { readModelShape } from "../src/engines/model-shape.js";
import { Tokenizer } from "../src/engines/tokenizer.js";
import { loadEnvironment } from "../src/environments/environment-loader.js";
import { planLoaded } from "../src/hooks/planner.js";
import { readTexts } from "../src/read-texts.js";
import { checkModes, loadPlugins } from "../src/run-parts.js";
import type { Job } from "./job-file.js";
import { hookColumns } from "./render/hook-columns.js";
import { textTable } from "./render/table.js";

/** Checks everything that can be checked without training, and prints what would run. */
export async function dryRun(job: Job, json: boolean): Promise<void> {
  const runs =
    job.kind === "run"
      ? [{ name: job.name, config: job.config }]
      : [{ name: "base", config: job.experiment.base }, ...job.experiment.arms];
  for (const { name, config } of runs) {
    const text = await describe(name, config, job.baseDirectory);
    process.stdout.write(json ? `${JSON.stringify({ type: "plan", name, config, text })}\n` : `${text}\n\n`);
  }
  if (!json) process.stdout.write("dry run: everything above was loaded and checked; nothing was started\n");
}

async function describe(name: string, config: RunConfig, baseDirectory: string): Promise<string> {
  const policy = resolve(baseDirectory, config.policy.from);
  const tokenizer = Tokenizer.fromDirectory(policy);
  const shape = readModelShape(policy, tokenizer.vocabSize);
  const environment = await loadEnvironment(config.environment.use, config.environment.with, baseDirectory);
  const context = { baseDirectory, seed: config.seed, reader: readTexts({ config, baseDirectory, tokenizer }, false) };
  const train = await environment.definition.taskset(environment.config, "train", context);
  const held = await environment.definition.taskset(environment.config, "eval", context);
  const loaded = await loadPlugins(config.plugins, baseDirectory);
  const plugins = loaded.map(({ plugin }) => plugin);
  checkModes(config.eval.modes, [...loaded, ...(await loadPlugins(config.eval.plugins, baseDirectory))]);
  const module = await loadEngine(engineModule(config.policy.engine, baseDirectory));
  const memory = checkMemory(module, config, shape);
  const first = train.at(0);
  const prompt = tokenizer.render(first.prompt);
  const { steps, tokenBudget, promptsPerStep, groupSize } = config.train;
  const hooks = planLoaded(loaded);
  return [
    `${name}`,
    `  policy       ${shape.layers} layers, width ${shape.hiddenSize}, ${shape.vocabSize} tokens, from ${policy}`,
    `  environment  ${environment.definition.name} ${environment.definition.version}: ${train.size} train tasks, ${Math.min(held.size, config.eval.tasks)} of ${held.size} held-out tasks`,
    `  first task   ${JSON.stringify(prompt.context + prompt.assistantPrefix)} → ${JSON.stringify(first.reference)}`,
    `  steps        ${steps} at most${tokenBudget > 0 ? `, or ${tokenBudget} sampled tokens` : ""}; ${promptsPerStep} tasks × ${groupSize} trajectories = ${promptsPerStep * groupSize} a step, up to ${config.rollout.maxTokens} tokens each`,
    ...(memory ? [`  memory       ${memoryText(memory)}`] : []),
    `  plugins      ${plugins.map((plugin) => `${plugin.name} ${plugin.version}`).join(", ") || "none: group-normalised advantage, clipped token-mean loss"}`,
    ...(hooks.length > 0 ? [indent(textTable(hooks, hookColumns(hooks)))] : []),
  ].join("\n");
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
