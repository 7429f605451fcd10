import {
  definePlugin,
  isTruncated,
  mean,
  type Cohort,
  type DriverContext,
  type Selection,
  type StepPlan,
} from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { firstStage, followStages, planOfStage, shareDone, type StagePosition } from "../stage-schedule.js";
import { admits, belongs, chooseTasks, nextToMeasure, type SolvedShares, type TaskWalk } from "./choose-tasks.js";
import { settingsSchema, type Settings, type Stage } from "./settings.js";

interface State extends SolvedShares {
  readonly position: StagePosition;
  /** Where the choice of tasks stands; a new stage begins a new walk. */
  walk: TaskWalk | null;
  /** Index of the next task to measure; null when the stage's tasks are measured, or need not be. */
  measuring: number | null;
  /** The step whose policy version measured them. */
  measuredAt: number | null;
  measured: Record<string, number>;
  /** Kept for tasksets that end. */
  readonly trained: Record<string, number>;
  /** Share of the stage's tasks looked at that its filters let through, in the last selection. */
  admitted: number;
}

type Context = DriverContext<Settings, State>;

export default definePlugin<typeof settingsSchema, State>({
  name: "curriculum",
  version: "1.1.0",
  description: "Stages by domain, response length and difficulty, with one update for every batch",
  config: settingsSchema,
  init: ({ stages }, previous) =>
    // A state is what a checkpoint of this plugin held.
    (previous as unknown as State | undefined) ?? {
      position: firstStage(),
      walk: null,
      measuring: stages[0]?.measure ? 0 : null,
      measuredAt: null,
      measured: {},
      trained: {},
      admitted: 1,
    },
  hooks: {
    plan: {
      writes: [
        "plan.stage",
        "plan.maxTokens",
        "plan.resetOptimizer",
        "plan.temperature",
        "plan.learningRate",
        "plan.parameters",
      ],
      run: (ctx, plan) => {
        const { position } = ctx.state;
        const { stages, strictlyOnPolicy, optimizer } = ctx.config;
        const hasMeasured = endMeasuring(ctx);
        const isMeasuring = ctx.state.measuring !== null && position.start !== null;
        const hasSwitched = !isMeasuring && followStages(position, stages, ctx);
        const stage = stages[position.index]!; // the schema wants at least one
        if (hasSwitched) begin(ctx, stage);
        const { updatesPerBatch = plan.updatesPerBatch } = stage;
        if (strictlyOnPolicy && updatesPerBatch > 1)
          throw errors.updatesTooMany({ stage: stage.name, updatesPerBatch });
        const measures = ctx.state.measuring !== null;
        const done = measures ? 0 : shareDone(position, stage, ctx);
        const { groupSize, ...steady } = stage;
        return {
          ...planOfStage(steady),
          ...groupSizeOf(groupSize, done),
          updatesPerBatch,
          // Measuring updates nothing, so a stage that does it begins with the step after.
          resetOptimizer: plan.resetOptimizer || ((hasSwitched || hasMeasured) && optimizer === "fresh"),
          ...temperatureOf(stage.temperature, done),
          ...(stage.learningRate === undefined ? {} : { learningRate: stage.learningRate }),
          ...(measures ? measuringPlan(stage) : {}),
          parameters: { ...plan.parameters, [ctx.plugin]: { stage: position.index, measures } },
        };
      },
    },
    select: {
      writes: ["select"],
      run: (ctx, selection) => {
        const { stage, measures } = ofStep(ctx);
        if (ctx.state.walk === null) checkDomains(ctx.config.stages, selection);
        ctx.state.walk ??= { taken: 0, epoch: 0, key: ctx.random.integer(0, 2 ** 31), isFinite: false };
        const { walk } = ctx.state;
        if (measures) return measure(ctx, stage, selection);
        const { indices, looked } = chooseTasks(selection, walk, (task) =>
          belongs(task, stage) ? admits(task, stage, ctx.state, walk.epoch) : undefined,
        );
        if (indices.length < selection.count)
          throw errors.stageWithoutTasks({ stage, wanted: selection.count, looked });
        ctx.state.admitted = indices.length / looked;
        return indices;
      },
    },
    reward: {
      reads: ["reward", "trajectory"],
      writes: ["reward"],
      run: (ctx, cohort, rewards_N) =>
        ctx.config.overlongReward === "mean" && ofStep(ctx).stage.filterOverlong
          ? withoutTruncated(cohort, rewards_N)
          : undefined,
    },
    keep: {
      reads: ["task"],
      writes: ["keep"],
      run: (ctx, { group }, decision) => {
        const { stage, measures } = ofStep(ctx);
        // What is carried over from the stage before may be of another domain.
        if (decision === "keep" && stage.domain !== undefined && group.task.domain !== stage.domain) return "resample";
        return measures ? "drop" : undefined;
      },
    },
    loss: {
      writes: ["loss.spec"],
      run: (ctx, { spec }) => ({
        spec: {
          ...spec,
          ratio: "token",
          aggregation: ctx.config.normaliser === "group" ? "group-token-mean" : "token-mean",
          entropyCoefficient: ctx.config.entropyCoefficient,
          maskTruncated: ofStep(ctx).stage.filterOverlong ?? spec.maskTruncated,
        },
      }),
    },
    observe: {
      reads: ["verdict", "task"],
      run: (ctx, _report, cohort) => {
        const { measures } = ofStep(ctx);
        const shares = cohort.groups.map(({ task, samples }) => {
          const share = mean(samples.map(({ verdict }) => (verdict.kind === "pass" ? 1 : 0)));
          if (measures) ctx.state.measured[task.id] = share;
          else if (ctx.state.walk?.isFinite) ctx.state.trained[task.id] = share;
          return share;
        });
        return {
          "curriculum/admitted": ctx.state.admitted,
          "curriculum/solved/mean": mean(shares),
          "curriculum/solved/never": mean(shares.map((share) => (share === 0 ? 1 : 0))),
        };
      },
    },
  },
});

/** The stage that a step was planned in; by the time it is learned from, later ones may be planned. */
function ofStep({ config, plan, plugin, step }: Pick<Context, "config" | "plan" | "plugin" | "step">): {
  readonly stage: Stage;
  readonly measures: boolean;
} {
  const { stage, measures } = plan.parameters[plugin] ?? {};
  const found = typeof stage === "number" ? config.stages[stage] : undefined;
  if (!found) throw errors.stageParametersMissing({ plugin, step });
  return { stage: found, measures: measures === true };
}

function begin({ state, event }: Context, stage: Stage): void {
  state.walk = null;
  state.measuring = stage.measure ? 0 : null;
  state.measured = {};
  event(`stage "${stage.name}": ${stage.domain ?? "every domain"}, at most ${stage.maxTokens} tokens`);
}

function measuringPlan({ name, measure: { attempts, promptsPerStep } = { attempts: 2 } }: Stage): Partial<StepPlan> {
  const tasks = promptsPerStep === undefined ? {} : { promptsPerStep };
  return { stage: `${name}, measuring`, groupSize: attempts, maxRounds: 1, ...tasks };
}

/** Chooses the next tasks to try; with the last of them the stage's tasks are measured. */
function measure({ state, step }: Context, stage: Stage, selection: Selection): readonly number[] {
  if (selection.size === Infinity) throw errors.measureEndless({ stage: stage.name });
  const { indices, next } = nextToMeasure(selection, state.measuring ?? 0, (task) => belongs(task, stage));
  const conditions = { ...stage, maxSolved: undefined };
  if (indices.length < selection.count)
    throw errors.stageWithoutTasks({ stage: conditions, wanted: selection.count, looked: indices.length });
  state.measuring = next;
  if (next >= selection.size) state.measuredAt = step;
  return indices;
}

/** A stage's planned length begins once its tasks are measured. */
function endMeasuring({ state, config, step, progress, event }: Context): boolean {
  if (state.measuredAt === null || step <= state.measuredAt) return false;
  const { name, maxSolved } = config.stages[state.position.index]!; // it was in force a step ago
  const shares = Object.values(state.measured);
  const left = shares.filter((share) => maxSolved === undefined || share <= maxSolved).length;
  event(
    `stage "${name}": policy version ${state.measuredAt - 1} was tried on ${shares.length} tasks, of which ${left} are left`,
  );
  state.position.start = { step, progress };
  state.measuring = null;
  state.measuredAt = null;
  return true;
}

function temperatureOf(temperature: Stage["temperature"], done: number): Partial<StepPlan> {
  if (temperature === undefined) return {};
  if (typeof temperature === "number") return { temperature };
  return { temperature: temperature.from + (temperature.to - temperature.from) * done };
}

function groupSizeOf(groupSize: Stage["groupSize"], done: number): Partial<StepPlan> {
  if (groupSize === undefined) return {};
  return { groupSize: typeof groupSize === "number" ? groupSize : done < 0.5 ? groupSize.from : groupSize.to };
}

/** Rewards in which a truncated answer has the mean of its siblings, so that it does not move the group's. */
function withoutTruncated({ groups }: Cohort, rewards_N: readonly number[]): number[] {
  let next = 0;
  return groups.flatMap(({ samples }) => {
    const rewards_G = rewards_N.slice(next, (next += samples.length));
    const whole = rewards_G.filter((_, i) => !isTruncated(samples[i]!.trajectory));
    return rewards_G.map((reward, i) =>
      isTruncated(samples[i]!.trajectory) && whole.length > 0 ? mean(whole) : reward,
    );
  });
}

function checkDomains(stages: readonly Stage[], { domains, at }: Selection): void {
  const known = domains ?? [at(0).domain];
  const missing = stages.find(({ domain }) => domain !== undefined && !known.includes(domain));
  if (missing) throw errors.stageDomainUnknown({ stage: missing.name, domain: missing.domain ?? "", known });
}
