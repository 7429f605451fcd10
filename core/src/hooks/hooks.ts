import type { Cohort, Group } from "../records/group.js";
import type { JsonObject, JsonValue } from "../records/json.js";
import type { LossSpec } from "../records/loss-spec.js";
import type { StepPlan } from "../records/step-plan.js";
import type { StepReport } from "../records/step-report.js";
import type { Task } from "../records/task.js";
import type { Trajectory } from "../records/trajectory.js";
import type { DriverContext, HookContext, RolloutContext } from "./plugin-context.js";
import type { Prompt, SamplingPlan } from "./prompt.js";

/** How several plugins share one hook: the first answer wins, a value is passed on, or everybody listens. */
export type HookKind = "first" | "chain" | "parallel";

/**
 * Every hook: how answers combine, the thread it runs on, and what `undefined` means.
 * A step calls them in this order; `core/docs/hooks.md` has an example of each.
 */
export const HOOKS = {
  plan: { kind: "chain", thread: "driver", undefinedMeans: "the plan stays as it is" },
  select: { kind: "first", thread: "driver", undefinedMeans: "the next plugin, then the default shuffle, is asked" },
  format: { kind: "chain", thread: "rollout", undefinedMeans: "the prompt stays as it is" },
  sampling: { kind: "chain", thread: "rollout", undefinedMeans: "the sampling plan stays as it is" },
  annotate: { kind: "parallel", thread: "verify", undefinedMeans: "nothing is recorded" },
  reward: { kind: "chain", thread: "driver", undefinedMeans: "the rewards stay as they are" },
  keep: { kind: "chain", thread: "driver", undefinedMeans: "the decision stays as it is" },
  advantage: {
    kind: "first",
    thread: "driver",
    undefinedMeans: "the next plugin, then the group-normalised default, is asked",
  },
  loss: { kind: "chain", thread: "driver", undefinedMeans: "the loss plan stays as it is" },
  observe: { kind: "parallel", thread: "driver", undefinedMeans: "no metrics are added" },
} as const satisfies Record<
  string,
  { kind: HookKind; thread: "driver" | "rollout" | "verify"; undefinedMeans: string }
>;

/** Name of a hook. */
export type HookName = keyof typeof HOOKS;

/** Which tasks a `select` hook may choose from, and how many are wanted. */
export interface Selection {
  /** Number of tasks of the train split; Infinity for a procedural one. */
  readonly size: number;
  readonly count: number;
  /** The domains of the tasks, where there are several. */
  readonly domains?: readonly string[] | undefined;
  /** Reads one task by its index in [0, size). */
  at(index: number): Task;
  /** `at(index).meta[name]`, for whoever looks at all tasks: an environment may know it without making the task. */
  fact(index: number, name: string): JsonValue | undefined;
}

/** What becomes of a group before the update. "resample" drops it and asks for another round. */
export type KeepDecision = "keep" | "drop" | "resample";

/** A raw text of an auxiliary next-token loss. */
export interface AuxiliaryText {
  readonly text: string;
  /** Spans of the text's UTF-8, [start, end) in bytes: tokens that begin in one have no loss. */
  readonly masked: readonly (readonly [start: number, end: number])[];
}

/** What `loss` hooks pass on. */
export interface LossPlan {
  readonly spec: LossSpec;
  /** Factor on each response token's weight, by trajectory id; shape [response length]. Absent means 1. */
  readonly tokenWeights: ReadonlyMap<string, Float32Array>;
  /**
   * Raw texts for an auxiliary next-token loss, which has a forward pass of its own at temperature 1: the mean over
   * their tokens that are not masked, times `spec.nextTokenCoefficient`. No chat template is put around them.
   */
  readonly auxiliaryTexts: readonly AuxiliaryText[];
}

/** Kept groups with the rewards after shaping; `rewards_G` has the order of `group.samples`. */
export interface RewardedGroup {
  readonly group: Group;
  readonly rewards_G: readonly number[];
}

/**
 * A hook with what it reads and writes, in the planner's vocabulary: record fields ("verdict", "length"), plan fields
 * ("plan.maxTokens"), prompt fields ("prompt.assistantPrefix"), annotations ("annotation.mode") and "reward",
 * "keep", "advantage", "loss.<field>".
 */
export interface Hook<Run> {
  readonly reads?: readonly string[];
  readonly writes?: readonly string[];
  readonly run: Run;
}

/** The hooks of a plugin with its own config and state types. */
export interface PluginHooks<Config, State> {
  /** At step start: stage, caps, learning rate. `last` is the report of the step before. */
  readonly plan?: Hook<
    (ctx: DriverContext<Config, State>, plan: StepPlan, last: StepReport | undefined) => Partial<StepPlan> | undefined
  >;
  /** Before rollout: indices of the tasks to roll out, exactly `selection.count` of them. */
  readonly select?: Hook<(ctx: DriverContext<Config, State>, selection: Selection) => readonly number[] | undefined>;
  /** Before rollout, once per slot of a group. */
  readonly format?: Hook<(ctx: RolloutContext<Config>, prompt: Prompt, task: Task) => Partial<Prompt> | undefined>;
  /** After `format`: how to sample. */
  readonly sampling?: Hook<
    (ctx: RolloutContext<Config>, sampling: SamplingPlan, task: Task) => Partial<SamplingPlan> | undefined
  >;
  /** When a trajectory is done, on its verifier actor: facts to record under their own names. */
  readonly annotate?: Hook<(ctx: RolloutContext<Config>, trajectory: Trajectory, task: Task) => JsonObject | undefined>;
  /** Whole cohort, before any filter: new rewards in the order of `samplesOf(cohort)`. Training only. */
  readonly reward?: Hook<
    (ctx: DriverContext<Config, State>, cohort: Cohort, rewards_N: readonly number[]) => readonly number[] | undefined
  >;
  /** Per group, after `reward`. */
  readonly keep?: Hook<
    (ctx: DriverContext<Config, State>, group: RewardedGroup, decision: KeepDecision) => KeepDecision | undefined
  >;
  /** Kept groups: one advantage per sample, group by group, or one array per sample with a value for every response token. */
  readonly advantage?: Hook<
    (
      ctx: DriverContext<Config, State>,
      groups: readonly RewardedGroup[],
    ) => readonly (number | Float32Array)[] | undefined
  >;
  /** Before the update: loss variant, token weights, auxiliary texts. */
  readonly loss?: Hook<
    (
      ctx: DriverContext<Config, State>,
      loss: LossPlan,
      groups: readonly RewardedGroup[],
    ) => Partial<LossPlan> | undefined
  >;
  /** At step end: metrics to add to the report. */
  readonly observe?: Hook<
    (
      ctx: DriverContext<Config, State>,
      report: StepReport,
      cohort: Cohort,
    ) => Readonly<Record<string, number>> | undefined
  >;
}

/** A hook's context, whatever its thread. */
export type AnyContext = HookContext<unknown>;
