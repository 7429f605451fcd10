import type { LossSpec } from "../records/loss-spec.js";

/** The bounds of the clipped surrogate. */
export type ClipBounds = Pick<LossSpec, "clipLow" | "clipHigh" | "dualClip">;

/** One token's objective, its derivative with respect to the ratio, and the bound that cut the gradient, if any. */
export interface Surrogate {
  readonly value: number;
  readonly slope: number;
  readonly clipped: "no" | "low" | "high" | "dual";
}

/**
 * Clipped surrogate objective of one token (to be maximised), with bounds on either side and the dual clip.
 *
 *     J = min(ρA, clip(ρ, 1 − clipLow, 1 + clipHigh) A)      A ≥ 0
 *     J = max(min(ρA, clip(ρ, …) A), dualClip · A)           A < 0
 *
 * Sources: PPO (arXiv:1707.06347), clip-higher from DAPO (arXiv:2503.14476), dual clip (arXiv:1912.09729).
 *
 * @param ratio probability under the policy over probability under the old policy, > 0
 * @example
 * clippedSurrogate(1.3, 1, { clipLow: 0.2, clipHigh: 0.28, dualClip: Infinity }); // value 1.28, slope 0, "high"
 */
export function clippedSurrogate(ratio: number, advantage: number, bounds: ClipBounds): Surrogate {
  const low = 1 - bounds.clipLow;
  const high = 1 + bounds.clipHigh;
  if (advantage > 0 && ratio > high) return { value: high * advantage, slope: 0, clipped: "high" };
  if (advantage < 0 && ratio < low) return { value: low * advantage, slope: 0, clipped: "low" };
  if (advantage < 0 && ratio > bounds.dualClip) {
    return { value: bounds.dualClip * advantage, slope: 0, clipped: "dual" };
  }
  return { value: ratio * advantage, slope: advantage, clipped: "no" };
}
