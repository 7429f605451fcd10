/**
 * Reward of a think block's length: rises to its maximum at the budget, and falls to nothing at twice the budget.
 *
 *     r_len = r_max · l / B              0 ≤ l ≤ B
 *           = r_max · (2B − l) / B       B < l ≤ 2B
 *           = 0                          l > 2B
 *
 * Source: RMT (arXiv:2509.24375); r_max is not stated, 1 is ours.
 *
 * @param length l, tokens of the think block
 * @param budget B, tokens
 * @example
 * lengthReward(188, 160, 1); // 0.825
 */
export function lengthReward(length: number, budget: number, max: number): number {
  return length <= budget ? (max * length) / budget : Math.max(0, (max * (2 * budget - length)) / budget);
}

/**
 * Reward of a trajectory: (1 − w) r_match + w r_len. The second is paid on wrong answers too; where a whole group is
 * wrong it is the only signal, so w is small.
 *
 * @example
 * compositeReward(1, 0.5, 0.2); // 0.9
 */
export function compositeReward(match: number, length: number, weight: number): number {
  return (1 - weight) * match + weight * length;
}
