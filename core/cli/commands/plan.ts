import type { Command } from "commander";
import { HOOKS } from "../../src/hooks/hooks.js";
import { checkLossSettings } from "../../src/hooks/loss-settings.js";
import { planLoaded, type PlannedHook } from "../../src/hooks/planner.js";
import { loadPlugins } from "../../src/run-parts.js";
import { hookColumns } from "../render/hook-columns.js";
import { textTable } from "../render/table.js";
import { readJob } from "./run.js";

/** `troupe plan CONFIG`: the pipeline of hooks that a step runs through, for a run or each arm of an experiment. */
export function define(command: Command, program: Command): void {
  command
    .argument("<config>", "YAML or TypeScript file of a run, or of an experiment with arms")
    .argument("[settings...]", "settings laid over the file, as in train.steps=100")
    .option("--explain", "say of every hook how answers combine, where it runs, and what silence means")
    .action(async (file: string, settings: readonly string[], flags: { explain?: boolean }) => {
      const job = readJob(file, settings);
      const runs =
        job.kind === "run"
          ? [{ name: job.name, config: job.config }]
          : [{ name: "base", config: job.experiment.base }, ...job.experiment.arms];
      const isJson = program.opts<{ json?: boolean }>().json === true;
      for (const { name, config } of runs) {
        const plugins = await loadPlugins(config.plugins, job.baseDirectory);
        checkLossSettings(config.loss, plugins);
        const hooks = planLoaded(plugins).map((hook) => ({ ...hook, ...HOOKS[hook.hook] }));
        if (isJson) process.stdout.write(`${JSON.stringify({ type: "pipeline", name, hooks })}\n`);
        else process.stdout.write(`${name}\n${table(hooks, flags.explain === true)}\n\n`);
      }
    });
}

type ExplainedHook = PlannedHook & (typeof HOOKS)[keyof typeof HOOKS];

function table(hooks: readonly ExplainedHook[], explains: boolean): string {
  if (hooks.length === 0) return "no hooks: group-normalised advantages, clipped token-mean loss";
  return textTable(hooks, [
    ...hookColumns(hooks),
    ...(explains
      ? [
          { title: "answers", cell: ({ kind }: ExplainedHook) => COMBINE[kind] },
          { title: "thread", cell: ({ thread }: ExplainedHook) => thread },
          { title: "no answer means", cell: ({ undefinedMeans }: ExplainedHook) => undefinedMeans },
        ]
      : []),
  ]);
}

const COMBINE = { first: "the first counts", chain: "passed on", parallel: "all count" } as const;
