import { mean } from "./statistics.js";
import type { Random } from "./random.js";

/** Draws of the permutation test: its p-values are multiples of 1 / (FLIPS + 1). */
const FLIPS = 5000;

/**
 * Two-sided permutation test of paired differences: could their mean be chance? Where two policies answered the same
 * problems alike, which answer belongs to which may be swapped, and that flips the sign of a problem's difference. The
 * statistic is the mean over repetitions (seeds) of the mean over problems; signs are drawn within each repetition.
 *
 *     p = (1 + #{flips with |statistic| at least the observed}) / (1 + flips)
 *
 * It speaks of the trained policies at hand; whether others trained alike would differ, an interval over seeds says.
 * Source: B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010), for counting the observed one.
 *
 * @param differences_S_P one row a repetition, one difference a problem
 * @returns p in (0, 1]; NaN where a row is empty or there is none
 */
export function signFlipTest(differences_S_P: readonly (readonly number[])[], random: Random): number {
  const observed = Math.abs(mean(differences_S_P.map(mean)));
  if (!Number.isFinite(observed)) return NaN;
  // A problem that both answered alike has nothing to flip.
  const rows = differences_S_P.map((row) => ({ size: row.length, moving: row.filter((value) => value !== 0) }));
  let atLeast = 1;
  for (let flip = 0; flip < FLIPS; flip++) {
    let statistic = 0;
    for (const { size, moving } of rows) {
      let sum = 0;
      for (const value of moving) sum += random.uniform() < 0.5 ? value : -value;
      statistic += sum / size / rows.length;
    }
    // Sums in another order differ in their last bits.
    if (Math.abs(statistic) >= observed * (1 - 1e-12)) atLeast++;
  }
  return atLeast / (FLIPS + 1);
}
