import { mean, standardDeviation } from "@troupe/core/sdk";

/** What the rewards look at in one response. */
export interface Outcome {
  readonly think: boolean;
  readonly correct: boolean;
}

/** What one response earns before any shaping. */
export interface NaiveOutcome extends Outcome {
  /** No boxed answer to grade. */
  readonly isFormatError: boolean;
  readonly isDegenerate: boolean;
}

/**
 * Naive reward: a right answer without thinking earns most, a wrong one costs.
 *
 *     think: right 1, wrong 0        no think: right 2, wrong -1, degenerate and wrong -2
 *
 * Source: AutoThink (arXiv:2505.10832); its code gives 0 for a response without thinking and without boxed answer.
 *
 * @param formatErrorReward reward of such a response: -1 as in the paper, 0 as in the code
 */
export function naiveReward(outcome: NaiveOutcome, formatErrorReward: number): number {
  if (outcome.think) return outcome.correct ? 1 : 0;
  if (outcome.correct) return 2;
  const reward = outcome.isFormatError ? formatErrorReward : -1;
  return reward < 0 && outcome.isDegenerate ? -2 : reward;
}

/** One response of a group as the length-aware reward sees it. */
export interface LengthSample {
  readonly reward: number;
  readonly correct: boolean;
  /** Response tokens, thought and answer. */
  readonly length: number;
  /** Answers are compared with those of the same pool; absent is one pool for all. */
  readonly pool?: number;
}

/**
 * Length-aware rewards of one group: shorter is better among right answers, longer among wrong ones.
 *
 *     y_i = (L_i − μ) / σ        right: r − 1 + exp(−α y)        wrong: r + 1 − exp(−β y)
 *
 * μ and the sample deviation σ (at least 1e-6) are those of the group's right, or wrong, answers of one pool: of both modes
 * together unless the samples say otherwise. A subset of one is left alone. Source: AutoThink, stage 3.
 *
 * @returns rewards_G, in the order of the samples
 */
export function lengthAwareRewards(samples_G: readonly LengthSample[], alpha: number, beta: number): number[] {
  const deviation = ({ correct, pool, length }: LengthSample): number => {
    const peers = samples_G.filter((sample) => sample.correct === correct && sample.pool === pool);
    if (peers.length < 2) return 0;
    const lengths = peers.map((sample) => sample.length);
    return (length - mean(lengths)) / Math.max(standardDeviation(lengths, "sample"), 1e-6);
  };
  return samples_G.map((sample) =>
    sample.correct
      ? sample.reward - 1 + Math.exp(-alpha * deviation(sample))
      : sample.reward + 1 - Math.exp(-beta * deviation(sample)),
  );
}

/** Settings of the balance. */
export interface Balance {
  /** Share of one mode that is tolerated; 1 switches the balance off. A tolerance, not a target. */
  readonly gamma: number;
  /** How fast the penalty grows above it. */
  readonly lambda: number;
}

/**
 * Batch reward balance: draws the rewards of an over-represented mode towards their saturation values, one lower each.
 *
 *     δ_think = clip(λ (z − γ), 0, 1)        δ_nothink = clip(λ ((1 − z) − γ), 0, 1)
 *     r = (1 − δ_mode) r + δ_mode r_sat      r_sat: think 0 / −1, no think 1 / −2 (right / wrong)
 *
 * Source: AutoThink, stage 1.
 *
 * @param thinkShare z, of the whole cohort and taken before any group is filtered, in [0, 1]
 */
export function balancedReward(
  reward: number,
  { think, correct }: Outcome,
  thinkShare: number,
  { gamma, lambda }: Balance,
): number {
  const share = think ? thinkShare : 1 - thinkShare;
  const excess = Math.min(1, Math.max(0, lambda * (share - gamma)));
  const saturation = think ? (correct ? 0 : -1) : correct ? 1 : -2;
  return (1 - excess) * reward + excess * saturation;
}
