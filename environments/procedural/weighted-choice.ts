import type { Random } from "@troupe/core/sdk";

/** An index with probability in proportion to its weight. */
export function drawIndex(weights: readonly number[], random: Random): number {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const index = weights.findIndex((weight) => (left -= weight) < 0);
  // Rounding can leave a remainder at the very end of the range.
  return index >= 0 ? index : weights.findLastIndex((weight) => weight > 0);
}
