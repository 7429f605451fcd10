import { responseLength, type RewardedGroup } from "@troupe/core/sdk";

/**
 * Factors that turn the update's token mean into one of groups: with T tokens in P groups, one of n gets T / (P n).
 */
export function groupFactors(groups: readonly RewardedGroup[]): ReadonlyMap<string, Float32Array> {
  const lengths = groups.map(({ group }) => group.samples.map(({ trajectory }) => responseLength(trajectory)));
  const sums = lengths.map((of) => of.reduce((sum, length) => sum + length, 0));
  const total = sums.reduce((sum, length) => sum + length, 0);
  const weighed = sums.filter((sum) => sum > 0).length;
  return new Map(
    groups.flatMap(({ group }, g) =>
      group.samples.map(({ trajectory }, i) => {
        const factors = new Float32Array(lengths[g]![i]!).fill(total / (weighed * sums[g]!));
        return [trajectory.id, factors] as const;
      }),
    ),
  );
}
