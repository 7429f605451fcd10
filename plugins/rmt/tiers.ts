import type { Random, Selection } from "@troupe/core/sdk";
import { nextPlace, type EpochWalk } from "../epoch-walk.js";
import { errors } from "../errors.js";

/** Tiers of difficulty, easiest first, as tasks name theirs in `meta.tier`. */
export const TIERS = ["easy", "medium", "hard"] as const;

export type Tier = (typeof TIERS)[number];
export type Shares = readonly [number, number, number];

/** Which tiers a run draws from, early and late. */
export interface Curriculum {
  /** Share of the run after which the mixture begins to change, and after which it has changed. */
  readonly from: number;
  readonly to: number;
  readonly early: Shares;
  readonly late: Shares;
}

/**
 * Distribution over the tiers at a moment.
 *
 *     p_t = P1                         t < t1
 *         = (1 − s) P1 + s P2          s = (t − t1) / (t2 − t1)
 *         = P2                         t ≥ t2
 *
 * Source: RMT (arXiv:2509.24375), curriculum-based adaptive sampling; P1 and P2 are not stated.
 *
 * @param progress t/T in [0, 1]
 * @returns shares of easy, medium and hard; they sum to 1 as those of the curriculum do
 */
export function tierShares(progress: number, { from, to, early, late }: Curriculum): Shares {
  // Where both moments are one, the mixture changes at once.
  const s = progress >= to ? 1 : progress < from ? 0 : (progress - from) / (to - from);
  const mix = (index: 0 | 1 | 2): number => (1 - s) * early[index] + s * late[index];
  return [mix(0), mix(1), mix(2)];
}

/** Shares over the tiers that have tasks, in the same proportions; alike where none of those has a share. */
export function overPresent(shares: Shares, isPresent: readonly boolean[]): Shares {
  const kept = shares.map((share, index) => (isPresent[index] ? share : 0));
  const sum = kept.reduce((total, share) => total + share, 0);
  const present = isPresent.filter(Boolean).length;
  const of = (index: 0 | 1 | 2): number => (sum > 0 ? kept[index]! / sum : isPresent[index] ? 1 / present : 0);
  return [of(0), of(1), of(2)];
}

/** The tasks of every tier by their indices. Made again, never saved. */
export interface TierIndex {
  readonly byTier: readonly (readonly number[])[];
}

/** Looks at every task's tier once, and makes no task for it. */
export function indexTiers({ size, fact }: Selection): TierIndex {
  const byTier: number[][] = TIERS.map(() => []);
  for (let index = 0; index < size; index++) byTier[tierIndexOf(fact(index, "tier"))]?.push(index);
  return { byTier };
}

/** Position of a tier among `TIERS`; −1 for what is none. */
export function tierIndexOf(tier: unknown): number {
  return TIERS.findIndex((one) => one === tier);
}

/**
 * Draws tasks: for each a tier by the shares, then the next of that tier in an order that is new every epoch, so that no
 * task comes again before all of its tier were drawn.
 *
 * @param key of the orders
 * @returns indices, no two equal
 * @throws TIERS_USED_UP when there are fewer tasks in tiers with a share than wanted
 */
export function drawTasks(
  count: number,
  shares: Shares,
  index: TierIndex,
  walks: readonly EpochWalk[],
  key: number,
  random: Random,
): readonly number[] {
  const drawn = new Set<number>();
  const left = index.byTier.map((tasks, tier) => (shares[tier]! > 0 ? tasks.length : 0));
  while (drawn.size < count) {
    const open = shares.map((share, tier) => (left[tier]! > 0 ? share : 0));
    const total = open.reduce((sum, share) => sum + share, 0);
    if (total === 0) throw errors.tiersUsedUp({ wanted: count, found: drawn.size });
    let mark = random.uniform() * total;
    let tier = open.findIndex((share) => (mark -= share) < 0);
    // Sums of shares may miss the total by a rounding.
    if (tier < 0) tier = open.findLastIndex((share) => share > 0);
    let next: number;
    const tasks = index.byTier[tier]!;
    do next = tasks[nextPlace(walks[tier]!, tasks.length, key, TIERS[tier]!)]!;
    while (drawn.has(next));
    drawn.add(next);
    left[tier]!--;
  }
  return [...drawn];
}
