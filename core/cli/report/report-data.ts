import type { Evaluation } from "../../src/records/evaluation.js";
import type { SampleView } from "../../src/records/run-event.js";

/** What one arm came to, on the held-out tasks. */
export interface ArmSummary {
  readonly name: string;
  readonly accuracy: number;
  readonly ci95: readonly [number, number];
  /** Told not to think; NaN when that was not measured. */
  readonly accuracyThinkFree: number;
  readonly ci95ThinkFree: readonly [number, number];
  readonly tokensPerAnswer: number;
  readonly tokensPerAnswerThinkFree: number;
  readonly thinkRate: number;
  /** Response tokens sampled in training. */
  readonly trainTokens: number;
  readonly seconds: number;
  /** Every evaluation behind these numbers; the first is the one that `accuracy` comes from. */
  readonly modes: readonly Evaluation[];
}

/** How much the base policy already can, in one mode: what a policy gradient has to work with. */
export interface Headroom {
  readonly mode: string;
  readonly n: number;
  /** Accuracy on tasks of one step. */
  readonly singleStep: number;
  readonly greedy: number;
  /** Accuracy at temperature 1: pass@1. */
  readonly sampled: number;
  readonly k: number;
  readonly passAtK: number;
  /** Share of groups of `k` with some but not all answers right. */
  readonly mixedGroups: number;
}

/** The quantities that are drawn over training tokens. */
export type CurveName = "reward" | "accuracy" | "tokens" | "thinkRate";

/** One quantity of one arm over training tokens. */
export interface Curve {
  readonly arm: string;
  readonly name: CurveName;
  readonly points: readonly { readonly trainTokens: number; readonly value: number }[];
}

/** Something that happened to an arm, marked on its curves: a stage, a swapped plugin. */
export interface CurveMark {
  readonly arm: string;
  readonly trainTokens: number;
  readonly label: string;
}

/** How much of an arm's sampling and time went into its updates. */
export interface Efficiency {
  readonly arm: string;
  /** Mean over steps of the samples that fed the update over samples made. */
  readonly usefulSamples: number;
  /** Mean over steps of the seconds that rollout actors waited for the slowest of them. */
  readonly idleSeconds: number;
  /** Mean wall time of a step, seconds. */
  readonly stepSeconds: number;
}

/** The same tasks answered by one arm before and after its training. */
export interface ArmSamples {
  readonly arm: string;
  readonly pairs: readonly { readonly before: SampleView; readonly after: SampleView }[];
}

/** Everything that a report shows. */
export interface ReportData {
  readonly title: string;
  /** The command that made it, and makes it again. */
  readonly command: string;
  /** One line: processor, cores, Node version, kernel set. */
  readonly machine: string;
  readonly commit: string;
  readonly seed: number;
  readonly wallSeconds: number;
  /** Held-out tasks. */
  readonly n: number;
  readonly arms: readonly ArmSummary[];
  readonly headroom: readonly Headroom[];
  readonly curves: readonly Curve[];
  readonly marks: readonly CurveMark[];
  /** One entry for each arm that was trained by steps that report it. */
  readonly efficiency: readonly Efficiency[];
  readonly samples: readonly ArmSamples[];
  /** Each arm's resolved configuration, as YAML. */
  readonly configs: readonly { readonly arm: string; readonly yaml: string }[];
  /** What a reader must know before trusting a number. */
  readonly notices: readonly string[];
}
