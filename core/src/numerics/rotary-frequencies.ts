import type { ModelShape } from "../engines/policy-engine.js";

/**
 * How far rotary embedding turns each pair of a head from one position to the next, radians.
 *
 *     f_j = θ^(−2j / headSize)
 *
 * With `ropeScaling`, as Llama 3.1 does it: a pair that turns often within the original positions keeps its frequency,
 * one that turns rarely has it divided by the factor, and between the two bounds both are mixed.
 *
 *     turns_j = originalPositions · f_j / 2π
 *     keep_j  = clamp((turns_j − low) / (high − low), 0, 1)
 *     f'_j    = f_j · (keep_j + (1 − keep_j) / factor)
 *
 * Source: RoFormer (arXiv:2104.09864); the scaling: Llama 3.1's published model code, `apply_scaling`.
 *
 * @returns shape [headSize / 2]
 */
export function rotaryFrequencies(shape: Pick<ModelShape, "headSize" | "ropeTheta" | "ropeScaling">): Float64Array {
  const { headSize, ropeTheta, ropeScaling } = shape;
  return Float64Array.from({ length: headSize / 2 }, (_, j) => {
    const frequency = ropeTheta ** ((-2 * j) / headSize);
    if (!ropeScaling) return frequency;
    const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = ropeScaling;
    const turns = (originalPositions * frequency) / (2 * Math.PI);
    const keep = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return frequency * (keep + (1 - keep) / factor);
  });
}
