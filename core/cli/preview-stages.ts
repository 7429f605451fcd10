import type { RunConfig } from "../src/config/run-config.js";
import type { Taskset } from "../src/environments/environment.js";
import { selectionFrom } from "../src/environments/selection-from.js";
import { Method } from "../src/hooks/method.js";
import type { LoadedPlugin } from "../src/hooks/plugin-loader.js";
import type { StepPlan } from "../src/records/step-plan.js";
import type { Task } from "../src/records/task.js";
import { basePlan } from "../src/run-plan.js";

/** Steps that follow each other and are planned alike but for what moves from step to step. */
export interface PreviewedStage {
  readonly from: number;
  readonly to: number;
  /** Of its first step. */
  readonly first: StepPlan;
  readonly last: StepPlan;
  /** Sampled tokens at most, in one round of each step. */
  readonly tokens: number;
}

/**
 * What the steps of a run will be, by its plan and select hooks alone: nothing is sampled, so a stage that ends by what
 * the policy does lasts to its planned end, and a filter by what the policy solves lets everything through.
 *
 * @throws what a hook throws
 */
export function previewStages(
  config: RunConfig,
  plugins: readonly LoadedPlugin[],
  train: Taskset,
): readonly PreviewedStage[] {
  const { steps } = config.train;
  const method = new Method({
    seed: config.seed,
    plugins,
    states: {},
    onEvent: () => {},
    hookDeadlineMs: config.live.hookDeadlineMs,
  });
  const known = new Map<number, Task>();
  const at = (index: number): Task => {
    const task = known.get(index) ?? train.at(index);
    known.set(index, task);
    return task;
  };
  const stages: PreviewedStage[] = [];
  for (let step = 1; step <= steps; step++) {
    const moment = { step, progress: (step - 1) / steps };
    const plan = method.plan(moment, basePlan(config, moment), undefined);
    method.select(moment, plan, { ...selectionFrom(train, plan.promptsPerStep), at });
    const tokens = plan.promptsPerStep * plan.groupSize * plan.maxTokens;
    const before = stages.at(-1);
    if (before && isSame(before.last, plan)) {
      stages[stages.length - 1] = { ...before, to: step, last: plan, tokens: before.tokens + tokens };
    } else stages.push({ from: step, to: step, first: plan, last: plan, tokens });
  }
  return stages;
}

function isSame(a: StepPlan, b: StepPlan): boolean {
  return (["stage", "maxTokens", "promptsPerStep", "groupSize", "updatesPerBatch"] as const).every(
    (field) => a[field] === b[field],
  );
}
