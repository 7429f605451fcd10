/** The tiers of difficulty, easiest first. */
export const TIERS = ["easy", "medium", "hard"] as const;

/** How hard a token is to predict, by the entropy of its prediction. */
export type Tier = (typeof TIERS)[number];

/**
 * Tiers of a token: those whose threshold its entropy exceeds. Disjoint bins give the hardest of them alone; the nested
 * reading, which RPT's evaluation allows too, gives them all.
 *
 * @param entropy nats
 * @param thresholds of easy, medium and hard, rising
 * @returns none for a token that everybody predicts
 * @example
 * tiersOf(1.28, [0.5, 1, 1.5], "disjoint"); // ["medium"]
 */
export function tiersOf(
  entropy: number,
  thresholds: readonly [number, number, number],
  reading: "disjoint" | "nested",
): readonly Tier[] {
  const exceeded = TIERS.filter((_, index) => entropy > thresholds[index]!);
  return reading === "nested" ? exceeded : exceeded.slice(-1);
}
