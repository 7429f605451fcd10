import { errors } from "../errors.js";
import { mean, standardDeviation, variance } from "./statistics.js";

/** How `groupAdvantages` scales; "none" only centres. */
export interface GroupScaling {
  readonly std: "sample" | "population" | "none";
  /** Added to the deviation, outside the square root. */
  readonly epsilon: number;
}

/**
 * Advantages of one group: how much better each answer is than its siblings.
 *
 *     A_i = (r_i − mean(r)) / (std(r) + ε)      or r_i − mean(r) when std is "none"
 *
 * A group of one has nothing to compare with: its mean counts as 0 and its deviation as 1, as in verl.
 * Sources: GRPO, outcome supervision (arXiv:2402.03300); centred only, Dr.GRPO (arXiv:2503.20783).
 *
 * @returns advantages_G, shape [G]; exactly 0 when every reward is equal and G ≥ 2
 * @example
 * groupAdvantages([1, 0, 0, 0]); // ≈ [1.5, -0.5, -0.5, -0.5]
 */
export function groupAdvantages(
  rewards_G: readonly number[],
  { std, epsilon }: GroupScaling = { std: "sample", epsilon: 1e-6 },
): number[] {
  const isAlone = rewards_G.length === 1;
  const center = isAlone ? 0 : mean(rewards_G);
  if (std === "none") return rewards_G.map((reward) => reward - center);
  const scale = (isAlone ? 1 : standardDeviation(rewards_G, std)) + epsilon;
  return rewards_G.map((reward) => (reward - center) / scale);
}

/**
 * Advantages of one group, each answer against the mean of the others.
 *
 *     A_i = r_i − mean_{j ≠ i}(r_j) = G / (G − 1) · (r_i − mean(r))
 *
 * Source: RLOO (arXiv:2402.14740). The advantage of a group of one is its reward.
 *
 * @returns advantages_G, shape [G]; exactly 0 when every reward is equal and G ≥ 2
 */
export function leaveOneOutAdvantages(rewards_G: readonly number[]): number[] {
  const size = rewards_G.length;
  if (size === 1) return [...rewards_G];
  const center = mean(rewards_G);
  return rewards_G.map((reward) => (size / (size - 1)) * (reward - center));
}

/**
 * Advantages centred within each group, then normalised over all samples of the batch.
 *
 *     c = r − mean of its group        A = (c − mean(c)) / (std(c) + ε)      sample std over the batch
 *
 * Source: DLER (arXiv:2510.15110).
 *
 * @returns advantages of all samples, group by group; all 0 when every group's rewards are equal
 */
export function batchNormalizedAdvantages(rewards_P_G: readonly (readonly number[])[], epsilon = 1e-6): number[] {
  const centered = rewards_P_G.flatMap((rewards_G) => groupAdvantages(rewards_G, { std: "none", epsilon }));
  return groupAdvantages(centered, { std: "sample", epsilon });
}

/**
 * Discounted sum of the rewards from each token on: G_t = r_t + γ G_{t+1}.
 *
 * @param discount γ in [0, 1]
 * @returns shape [T]
 */
export function returnsToGo(rewards_T: ArrayLike<number>, discount: number): Float64Array {
  const returns_T = new Float64Array(rewards_T.length);
  let following = 0;
  for (let t = rewards_T.length - 1; t >= 0; t--) {
    following = rewards_T[t]! + discount * following;
    returns_T[t] = following;
  }
  return returns_T;
}

/**
 * Values of tokens brought to mean 0 and variance 1 over all unmasked tokens of a batch.
 *
 *     (x − mean) / √(var + ε)      var over n − 1, ε = 1e-8 inside the root
 *
 * A batch of fewer than two unmasked tokens gives 0.
 *
 * @param values_S_T one array per sequence, of its own length
 * @param masks_S_T non-zero where a token counts; all count when absent
 * @returns arrays of the same lengths; 0 where masked
 * @throws LENGTH_MISMATCH
 */
export function whiten(
  values_S_T: readonly ArrayLike<number>[],
  masks_S_T?: readonly ArrayLike<number>[],
): Float32Array[] {
  if (masks_S_T !== undefined) checkMasks(values_S_T, masks_S_T);
  const counts = (s: number, t: number) => masks_S_T === undefined || masks_S_T[s]![t] !== 0;
  const valid = values_S_T.flatMap((values_T, s) => Array.from(values_T).filter((_, t) => counts(s, t)));
  const center = mean(valid);
  const scale = Math.sqrt(variance(valid, "sample") + 1e-8);
  return values_S_T.map((values_T, s) =>
    Float32Array.from(values_T, (value, t) => (valid.length > 1 && counts(s, t) ? (value - center) / scale : 0)),
  );
}

/**
 * Advantages of tokens without groups: discounted returns-to-go, whitened over the tokens of the batch.
 *
 * Source: REINFORCE++ (arXiv:2501.03262). All-equal rewards of one group do not give 0 here.
 *
 * @param rewards_S_T token rewards of each sequence; an outcome reward stands at the last token
 * @throws LENGTH_MISMATCH
 */
export function whitenedReturns(
  rewards_S_T: readonly ArrayLike<number>[],
  discount: number,
  masks_S_T?: readonly ArrayLike<number>[],
): Float32Array[] {
  return whiten(
    rewards_S_T.map((rewards_T) => returnsToGo(rewards_T, discount)),
    masks_S_T,
  );
}

/**
 * Advantages of tokens with the group's mean as baseline: r_i − mean(r) on each token, whitened over the batch's tokens.
 *
 * Source: REINFORCE++-baseline (arXiv:2501.03262). Whitening counts tokens, so a group of equal rewards gets a small
 * advantage other than 0 where other groups' lengths differ.
 *
 * @param lengths_P_G tokens of each sample
 * @returns one array per sample, group by group
 * @throws LENGTH_MISMATCH
 */
export function whitenedGroupAdvantages(
  rewards_P_G: readonly (readonly number[])[],
  lengths_P_G: readonly (readonly number[])[],
): Float32Array[] {
  const centered = rewards_P_G.flatMap((rewards_G) => groupAdvantages(rewards_G, { std: "none", epsilon: 0 }));
  const lengths = lengths_P_G.flat();
  if (lengths.length !== centered.length) {
    throw errors.lengthMismatch({
      action: "spread advantages over tokens",
      name: "lengths_P_G",
      length: lengths.length,
      expected: centered.length,
    });
  }
  return whiten(centered.map((advantage, i) => new Float64Array(lengths[i]!).fill(advantage)));
}

function checkMasks(values_S_T: readonly ArrayLike<number>[], masks_S_T: readonly ArrayLike<number>[]): void {
  values_S_T.forEach((values_T, s) => {
    const length = masks_S_T[s]?.length ?? 0;
    if (length !== values_T.length) {
      throw errors.lengthMismatch({
        action: "whiten values",
        name: `masks_S_T[${s}]`,
        length,
        expected: values_T.length,
      });
    }
  });
}
