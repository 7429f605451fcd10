import {
  definePlugin,
  mean,
  responseLength,
  type Random,
  type RewardedGroup,
  type Selection,
  type StepPlan,
  z,
} from "@troupe/core/sdk";
import { errors } from "../errors.js";
import {
  firstStage,
  followStages,
  planOfStage,
  problemsOfStages,
  stageFields,
  type StagePosition,
} from "../stage-schedule.js";
import { admits, chooseTasks, type TaskFilter, type TaskWalk } from "./choose-tasks.js";

const range = z.strictObject({
  from: z.number().gt(0).describe("At the stage's first step"),
  to: z.number().gt(0).describe("At its last"),
});

const config = z
  .strictObject({
    stages: z
      .array(
        z.strictObject({
          ...stageFields,
          domain: z.string().min(1).optional().describe("Tasks of this domain alone: a stage never mixes two"),
          difficulty: z
            .strictObject({ min: z.number().optional(), max: z.number().optional() })
            .optional()
            .describe("Tasks whose known difficulty lies in this range"),
          maxSolved: z
            .number()
            .min(0)
            .max(1)
            .optional()
            .describe(
              "Drops tasks that the policy solved more often than this when they were last tried; 0.375 is 6 of 16",
            ),
          temperature: z
            .union([z.number().gt(0), range])
            .optional()
            .describe("Sampling temperature, or a ramp over the stage"),
          learningRate: z.number().gt(0).optional().describe("Step size of AdamW; absent keeps the run's"),
          filterOverlong: z
            .boolean()
            .default(false)
            .describe("Masks the loss of answers that are cut: useful at short budgets, harmful at long ones"),
        }),
      )
      .min(1)
      .describe("Stages in order, the last until the run ends"),
    normaliser: z
      .enum(["batch", "group"])
      .default("batch")
      .describe("Token mean over the update, or within each group and then over groups"),
  })
  .check(({ value, issues }) => {
    for (const message of problemsOfStages(value.stages, false))
      issues.push({ code: "custom", message, path: ["stages"], input: value.stages });
  });

type Config = z.output<typeof config>;
type Stage = Config["stages"][number];

interface State {
  readonly position: StagePosition;
  /** Where the choice of tasks stands; a new stage begins a new walk. */
  walk: TaskWalk | null;
  /** Task → share of its samples that passed when it was last tried. Kept for tasksets that end. */
  readonly solved: Record<string, number>;
  /** Share of the tasks looked at that the stage's filter let through, in the last selection. */
  admitted: number;
}

export default definePlugin<typeof config, State>({
  name: "curriculum",
  version: "1.0.0",
  description: "Stages by domain, response length and difficulty, with one update for every batch",
  config,
  // A state is what a checkpoint of this plugin held.
  init: (_config, previous) =>
    (previous as unknown as State | undefined) ?? { position: firstStage(), walk: null, solved: {}, admitted: 1 },
  hooks: {
    plan: {
      writes: ["plan.stage", "plan.maxTokens", "plan.resetOptimizer", "plan.temperature", "plan.learningRate"],
      run: (ctx, plan) => {
        const { position } = ctx.state;
        const hasSwitched = followStages(position, ctx.config.stages, ctx);
        const stage = ctx.config.stages[position.index]!; // the schema wants at least one
        if (hasSwitched) {
          ctx.state.walk = null;
          ctx.event(`stage "${stage.name}": ${stage.domain ?? "every domain"}, at most ${stage.maxTokens} tokens`);
        }
        return {
          ...planOfStage(stage),
          // One update: the policy that is updated is the one that sampled, and no ratio ever leaves 1.
          updatesPerBatch: stage.updatesPerBatch ?? 1,
          resetOptimizer: plan.resetOptimizer || hasSwitched,
          ...temperatureOf(stage, position, ctx),
          ...(stage.learningRate === undefined ? {} : { learningRate: stage.learningRate }),
        };
      },
    },
    select: {
      writes: ["select"],
      run: (ctx, selection) => {
        const stage = ctx.config.stages[ctx.state.position.index]!; // as above
        ctx.state.walk ??= newWalk(ctx.random);
        const { indices, looked } = chooseTasks(selection, ctx.state.walk, filterOf(stage, ctx.state));
        if (indices.length < selection.count) throw noneLeft(stage, selection, looked);
        ctx.state.admitted = indices.length / looked;
        return indices;
      },
    },
    loss: {
      writes: ["loss.spec", "loss.tokenWeights"],
      run: (ctx, { spec }, groups) => ({
        spec: {
          ...spec,
          ratio: "token",
          aggregation: "token-mean",
          entropyCoefficient: 0,
          maskTruncated: ctx.config.stages[ctx.state.position.index]!.filterOverlong, // as above
        },
        ...(ctx.config.normaliser === "group" ? { tokenWeights: groupFactors(groups) } : {}),
      }),
    },
    observe: {
      reads: ["verdict", "task"],
      run: (ctx, _report, cohort) => {
        const shares = cohort.groups.map(({ task, samples }) => {
          const share = mean(samples.map(({ verdict }) => (verdict.kind === "pass" ? 1 : 0)));
          if (ctx.state.walk?.isFinite) ctx.state.solved[task.id] = share;
          return share;
        });
        return { "curriculum/admitted": ctx.state.admitted, "curriculum/solved/mean": mean(shares) };
      },
    },
  },
});

function newWalk(random: Random): TaskWalk {
  return { taken: 0, epoch: 0, key: random.integer(0, 2 ** 31), isFinite: false };
}

function temperatureOf(
  { temperature, steps, share }: Stage,
  { start }: StagePosition,
  now: { readonly step: number; readonly progress: number },
): Partial<StepPlan> {
  if (temperature === undefined) return {};
  if (typeof temperature === "number") return { temperature };
  const done =
    start === null
      ? 0
      : steps === undefined
        ? (now.progress - start.progress) / (share ?? 1)
        : (now.step - start.step) / Math.max(1, steps - 1);
  return { temperature: temperature.from + (temperature.to - temperature.from) * Math.min(1, Math.max(0, done)) };
}

function filterOf({ domain, difficulty, maxSolved }: Stage, { solved }: State): TaskFilter {
  return (task) => admits(task, { domain, difficulty, maxSolved }, solved[task.id]);
}

function noneLeft({ name, domain, difficulty, maxSolved }: Stage, { count }: Selection, looked: number): Error {
  const conditions = [
    ...(domain === undefined ? [] : [`domain "${domain}"`]),
    ...(difficulty === undefined ? [] : [`difficulty ${difficulty.min ?? "any"} to ${difficulty.max ?? "any"}`]),
    ...(maxSolved === undefined ? [] : [`solved at most ${maxSolved}`]),
  ];
  return errors.stageWithoutTasks({ stage: name, wanted: count, looked, conditions });
}

/**
 * Factors that turn the update's token mean into one of groups: with T tokens in P groups, one of n gets T / (P n).
 */
export function groupFactors(groups: readonly RewardedGroup[]): ReadonlyMap<string, Float32Array> {
  const lengths = groups.map(({ group }) => group.samples.map(({ trajectory }) => responseLength(trajectory)));
  const sums = lengths.map((of) => of.reduce((sum, length) => sum + length, 0));
  const total = sums.reduce((sum, length) => sum + length, 0);
  const weighed = sums.filter((sum) => sum > 0).length;
  return new Map(
    groups.flatMap(({ group }, g) =>
      group.samples.map(({ trajectory }, i) => {
        const factors = new Float32Array(lengths[g]![i]!).fill(total / (weighed * sums[g]!));
        return [trajectory.id, factors] as const;
      }),
    ),
  );
}
