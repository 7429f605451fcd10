import type { RunConfig } from "./config/run-config.js";
import type { OptimizerStep } from "./engines/policy-engine.js";
import type { SamplingPlan } from "./hooks/prompt.js";
import { learningRateAt } from "./numerics/learning-rate.js";
import type { LossSpec } from "./records/loss-spec.js";
import type { StepPlan } from "./records/step-plan.js";

/** How far a run is, in [0, 1]: by steps or by tokens, whichever ends it first. A run without steps is done. */
export function progressOf(config: RunConfig, state: { readonly step: number; readonly trainTokens: number }): number {
  const { steps, tokenBudget } = config.train;
  const bySteps = steps === 0 ? 1 : state.step / steps;
  const byTokens = tokenBudget === 0 ? 0 : state.trainTokens / tokenBudget;
  return Math.min(1, Math.max(bySteps, byTokens));
}

/** A step, and the share of the run that is done before it. */
interface Moment {
  readonly step: number;
  readonly progress: number;
}

/** The plan of a step before any plugin: what the config says. */
export function basePlan(config: RunConfig, { step, progress }: Moment): StepPlan {
  const { train, rollout } = config;
  return {
    stage: "main",
    maxTokens: rollout.maxTokens,
    promptsPerStep: train.promptsPerStep,
    groupSize: train.groupSize,
    maxRounds: train.maxRounds,
    temperature: rollout.temperature,
    topP: rollout.topP,
    topK: rollout.topK,
    minP: rollout.minP,
    learningRate: learningRateAt(
      { ...train, peak: train.learningRate, floor: train.learningRateFloor },
      step,
      progress,
    ),
    updatesPerBatch: train.updatesPerBatch,
    resetOptimizer: false,
    parameters: {},
  };
}

/** Steps whose samples are on their way while a step is learned from: none in lockstep, `train.staleness` at most. */
export function stepsAhead({ train }: RunConfig, step: number): readonly number[] {
  const count = train.steps === 0 ? train.staleness : Math.min(train.staleness, train.steps - step);
  return Array.from({ length: Math.max(0, count) }, (_, index) => step + 1 + index);
}

/** Whether a response may go on with a new version in its middle: then it depends on when that was published. */
export function crossesVersions({ rollout, train }: RunConfig): boolean {
  return rollout.partial && train.staleness > 0;
}

/** How training samples under a plan. */
export function samplingOf(plan: StepPlan): SamplingPlan {
  const { maxTokens, temperature, topP, topK, minP } = plan;
  return { maxTokens, temperature, topP, topK, minP, logitBias: {}, stopStrings: [], budgetRules: [] };
}

/** How evaluation samples: by settings and a token budget of its own. */
export function evaluationSampling(config: RunConfig): SamplingPlan {
  return {
    maxTokens: config.eval.maxTokens || config.rollout.maxTokens,
    temperature: config.eval.temperature,
    topP: config.eval.topP,
    topK: config.eval.topK,
    minP: config.eval.minP,
    logitBias: {},
    stopStrings: [],
    budgetRules: [],
  };
}

/** What stale samples get: token weights between 0 and 2. */
const TRUNCATED = { level: "token", outside: "truncate", low: 0, high: 2 } as const;

/** Bound of the ratio on either side where neither the config nor a method has one. Source: PPO (arXiv:1707.06347). */
const CLIP = 0.2;

/** The loss before any plugin: clipped surrogate, token mean, terms as configured. */
export function lossSpec(config: RunConfig, plan: StepPlan): LossSpec {
  const { dualClip, importance, clipLow = CLIP, clipHigh = CLIP, entropyCoefficient = 0, ...loss } = config.loss;
  return {
    ...loss,
    clipLow,
    clipHigh,
    entropyCoefficient,
    dualClip: dualClip ?? Infinity,
    temperature: plan.temperature,
    ratio: "token",
    aggregation: "token-mean",
    normConstant: plan.maxTokens,
    importance: importance === "auto" ? (config.train.staleness > 0 ? TRUNCATED : null) : importance,
    nextTokenCoefficient: 0,
  };
}

/** The optimizer's settings that do not change from step to step. */
export function optimizerSettings(config: RunConfig): Omit<OptimizerStep, "learningRate"> {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = config.train;
  return { beta1, beta2, epsilon, weightDecay, maxGradNorm };
}
