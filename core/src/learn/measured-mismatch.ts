import type { Batch } from "../records/batch.js";
import { ORIGIN, type Trajectory } from "../records/trajectory.js";

/**
 * Tokens at which a learner can be held against the sampler: drawn by the very version that is about to be updated. A
 * forced token has the logprob that its plugin wants, and an older version's differ by what was learned since.
 *
 * @returns shape [N] over the trajectories' tokens, 1 where they can be compared
 */
export function comparableTokens(trajectories: readonly Trajectory[], version: number): Uint8Array {
  const isComparable_N = new Uint8Array(trajectories.reduce((sum, { tokens }) => sum + tokens.length, 0));
  let base = 0;
  for (const { tokens, origins, versions } of trajectories) {
    for (const span of versions.filter((one) => one.version === version))
      for (let t = span.start; t < span.end; t++) isComparable_N[base + t] = origins[t] === ORIGIN.sampled ? 1 : 0;
    base += tokens.length;
  }
  return isComparable_N;
}

/** What is measured of an update, in the names of the metrics. */
export interface MeasuredMismatch {
  /** Share of learned tokens at which sampler and learner were compared, in [0, 1]. */
  readonly "mismatch/measured": number;
  /** max |Δ_t| there, nats; absent where nothing was compared. */
  readonly "mismatch/same/max"?: number;
}

/**
 * What logprobs that are there anyway say of sampler and learner before an update:
 *
 *     max_t |Δ_t|,   Δ_t = learner's logprob − sampler's, of one version at one token
 *
 * Importance weights have the learner score every batch first, so every comparable token counts. Without them the first
 * batch's forward pass gives one largest difference, which counts when all of its tokens are comparable.
 *
 * @param batches with `oldLogprobs_N` where they were scored
 * @param comparable for each batch, what `comparableTokens` gives
 * @param firstLargest `mismatch/max` of the first batch's forward pass
 */
export function measuredMismatch(
  batches: readonly Batch[],
  comparable: readonly Uint8Array[],
  firstLargest: number,
): MeasuredMismatch {
  let learned = 0;
  let compared = 0;
  let largest = 0;
  for (const [index, { weights_N, behaviourLogprobs_N, oldLogprobs_N }] of batches.entries()) {
    let here = 0;
    let missed = 0;
    weights_N.forEach((weight, t) => {
      if (weight === 0) return;
      if (comparable[index]?.[t] !== 1) missed += 1;
      else {
        here += 1;
        if (oldLogprobs_N) largest = Math.max(largest, Math.abs(oldLogprobs_N[t]! - behaviourLogprobs_N[t]!));
      }
    });
    learned += here + missed;
    if (oldLogprobs_N) compared += here;
    else if (index === 0 && missed === 0 && here > 0) {
      compared = here;
      largest = firstLargest;
    }
  }
  return compared === 0
    ? { "mismatch/measured": 0 }
    : { "mismatch/measured": compared / learned, "mismatch/same/max": largest };
}
