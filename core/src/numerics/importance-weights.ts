import type { LossSpec } from "../records/loss-spec.js";

/** Log ratios beyond this count as this, so that a ratio stays finite; nats. */
export const MAX_LOG_RATIO = 20;

/** What `importanceWeights` needs; arrays of shape [N], sequences packed as in a `Batch`. */
export interface ImportanceInput {
  readonly importance: NonNullable<LossSpec["importance"]>;
  readonly offsets_S1: Int32Array;
  /** Non-zero where the policy acted: only these tokens enter a sequence's ratio. */
  readonly weights_N: Float32Array;
  readonly oldLogprobs_N: Float32Array;
  readonly behaviourLogprobs_N: Float32Array;
}

/** One weight per token, and whether its ratio lay outside the bounds (1) or not (0). */
export interface ImportanceWeights {
  readonly values_N: Float64Array;
  readonly isOutside_N: Uint8Array;
}

/**
 * Importance weights that correct for a sampler whose probabilities are not the learner's.
 *
 *     d_t = old_t − behaviour_t
 *     ratio = exp(d_t)  "token"  ·  exp(Σ d)  "sequence"  ·  exp(mean d)  "geometric"
 *     w = min(ratio, high)                          "truncate": there is no lower bound
 *     w = ratio inside [low, high], otherwise 0     "mask"
 *
 * Sequence ratios are given to each token of the sequence. Equal logprobs give exactly 1. The caller treats weights as
 * constants: no gradient flows through them. Source: truncated importance sampling (fengyao.notion.site/off-policy-rl)
 * and its variants in verl's rollout correction.
 */
export function importanceWeights(input: ImportanceInput): ImportanceWeights {
  const { importance, offsets_S1, weights_N } = input;
  const values_N = new Float64Array(weights_N.length);
  const isOutside_N = new Uint8Array(weights_N.length);
  const setWeight = (t: number, logRatio: number) => {
    const ratio = Math.exp(clampLogRatio(logRatio));
    const isOutside = ratio > importance.high || (importance.outside === "mask" && ratio < importance.low);
    const outsideWeight = importance.outside === "mask" ? 0 : importance.high;
    values_N[t] = isOutside ? outsideWeight : ratio;
    isOutside_N[t] = Number(isOutside);
  };
  for (let s = 0; s + 1 < offsets_S1.length; s++) {
    const [start, end] = [offsets_S1[s]!, offsets_S1[s + 1]!];
    const { sum, count } = sumDifferences(input.oldLogprobs_N, input.behaviourLogprobs_N, weights_N, start, end);
    for (let t = start; t < end; t++) {
      if (weights_N[t] === 0) continue;
      if (importance.level === "token") setWeight(t, input.oldLogprobs_N[t]! - input.behaviourLogprobs_N[t]!);
      else setWeight(t, importance.level === "sequence" ? sum : sum / count);
    }
  }
  return { values_N, isOutside_N };
}

/**
 * What brings the mean weight to 1 over all tokens of an update batch that the policy acted on; 1 unless
 * `importance.normalize` asks for it, or where every weight is 0. Taken over the whole batch before it is split.
 */
export function importanceScale(input: ImportanceInput): number {
  if (!input.importance.normalize) return 1;
  const { values_N } = importanceWeights(input);
  let sum = 0;
  let count = 0;
  input.weights_N.forEach((weight, t) => {
    if (weight === 0) return;
    sum += values_N[t]!;
    count++;
  });
  return sum === 0 ? 1 : count / sum;
}

/** Sum over the acting tokens of [start, end) of `a − b`, and how many there are. */
export function sumDifferences(
  a_N: Float32Array,
  b_N: Float32Array,
  weights_N: Float32Array,
  start: number,
  end: number,
): { sum: number; count: number } {
  let sum = 0;
  let count = 0;
  for (let t = start; t < end; t++) {
    if (weights_N[t] === 0) continue;
    sum += a_N[t]! - b_N[t]!;
    count++;
  }
  return { sum, count };
}

/** A log ratio kept inside ±MAX_LOG_RATIO. */
export function clampLogRatio(logRatio: number): number {
  return Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, logRatio));
}
