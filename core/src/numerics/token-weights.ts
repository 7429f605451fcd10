import type { LossSpec } from "../records/loss-spec.js";

/** Which tokens the policy acted on in a whole update batch, and how their objectives become one number. */
export interface TokenWeightsInput {
  /** Non-zero on tokens with loss; shape [N]. */
  readonly mask_N: ArrayLike<number>;
  /** Sequence s is [offsets_S1[s], offsets_S1[s + 1]). */
  readonly offsets_S1: ArrayLike<number>;
  readonly aggregation: Exclude<LossSpec["aggregation"], "group-token-mean">;
  /** Divisor of "seq-mean-token-sum-norm", tokens. */
  readonly normConstant: number;
}

/**
 * Weight of each token such that Σ weight · objective is the batch's objective.
 *
 *     token-mean               1 / Σ_s n_s                 n_s: unmasked tokens of sequence s
 *     seq-mean-token-mean      1 / (S n_s)                 S: sequences with n_s > 0
 *     seq-mean-token-sum       1 / S
 *     seq-mean-token-sum-norm  1 / (S · normConstant)
 *
 * The batch is that of one optimizer update: weights are made before it is split, so micro-batches simply add up. A
 * fully masked sequence counts nowhere. The last is Dr.GRPO in its published form (arXiv:2503.20783), which averages over
 * sequences; verl's form lacks the S. Others: DAPO (arXiv:2503.14476), GRPO (arXiv:2402.03300).
 *
 * @returns weights_N, shape [N]; 0 where masked
 * @example
 * tokenWeights({ mask_N: [0, 1, 0, 1, 1], offsets_S1: [0, 2, 5], aggregation: "seq-mean-token-mean", normConstant: 1 });
 * // [0, 0.5, 0, 0.25, 0.25]
 */
export function tokenWeights({ mask_N, offsets_S1, aggregation, normConstant }: TokenWeightsInput): Float32Array {
  const counts_S = countUnmasked(mask_N, offsets_S1);
  const tokens = counts_S.reduce((sum, count) => sum + count, 0);
  const sequences = counts_S.filter((count) => count > 0).length;
  const denominator = (count: number): number => {
    switch (aggregation) {
      case "token-mean":
        return tokens;
      case "seq-mean-token-mean":
        return sequences * count;
      case "seq-mean-token-sum":
        return sequences;
      case "seq-mean-token-sum-norm":
        return sequences * normConstant;
    }
  };
  return spread(mask_N, offsets_S1, (s) => 1 / denominator(counts_S[s]!));
}

/**
 * Weights of a token mean within each group, averaged over groups: 1 / (P · tokens of the group). AceReason's paper
 * (arXiv:2505.16400) has this form, "group-token-mean"; `tokenWeights` with "token-mean" has the batch's. A fully masked group counts nowhere.
 *
 * @param groups_S group index in [0, P) of each sequence
 * @returns weights_N, shape [N]; 0 where masked
 */
export function groupTokenMeanWeights(
  mask_N: ArrayLike<number>,
  offsets_S1: ArrayLike<number>,
  groups_S: ArrayLike<number>,
): Float32Array {
  const tokensOfGroup = new Map<number, number>();
  countUnmasked(mask_N, offsets_S1).forEach((count, s) => {
    if (count > 0) tokensOfGroup.set(groups_S[s]!, (tokensOfGroup.get(groups_S[s]!) ?? 0) + count);
  });
  return spread(mask_N, offsets_S1, (s) => 1 / (tokensOfGroup.size * (tokensOfGroup.get(groups_S[s]!) ?? 0)));
}

function countUnmasked(mask_N: ArrayLike<number>, offsets_S1: ArrayLike<number>): number[] {
  return Array.from({ length: offsets_S1.length - 1 }, (_, s) => {
    let count = 0;
    for (let t = offsets_S1[s]!; t < offsets_S1[s + 1]!; t++) count += mask_N[t] === 0 ? 0 : 1;
    return count;
  });
}

function spread(
  mask_N: ArrayLike<number>,
  offsets_S1: ArrayLike<number>,
  weightOf: (sequence: number) => number,
): Float32Array {
  const weights_N = new Float32Array(mask_N.length);
  for (let s = 0; s + 1 < offsets_S1.length; s++) {
    for (let t = offsets_S1[s]!; t < offsets_S1[s + 1]!; t++) if (mask_N[t] !== 0) weights_N[t] = weightOf(s);
  }
  return weights_N;
}
