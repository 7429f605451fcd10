import type { OptimizerStep } from "../engines/policy-engine.js";
import { errors } from "../errors.js";

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, Float64Array>;

const IS_VECTOR = /(norm\.weight|\.bias)$/;

/** Running means of gradients and of their squares after `steps` updates. */
export interface AdamwState {
  readonly steps: number;
  readonly firstMoments: Tensors;
  readonly secondMoments: Tensors;
}

/** What one update made; its inputs stay as they were. */
export interface AdamwUpdate {
  readonly parameters: Tensors;
  readonly state: AdamwState;
  /** Global norm of the gradient before clipping. */
  readonly gradNorm: number;
}

/**
 * One AdamW update of all tensors, with global-norm clipping, bias correction and decoupled decay of matrices; norm
 * weights and biases, known by their names, decay only where the settings say so.
 *
 *     g ← g · min(1, maxGradNorm / (‖g‖ + 1e-6))          norm over all tensors
 *     m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
 *     θ ← θ (1 − lr · decay) − lr · m̂ / (√v̂ + ε)          m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
 *
 * Source: decoupled weight decay (arXiv:1711.05101); clipping as in PyTorch's `clip_grad_norm_`.
 *
 * @param state undefined before the first update
 * @throws LENGTH_MISMATCH
 */
export function adamwUpdate(
  parameters: Tensors,
  gradients: Tensors,
  state: AdamwState | undefined,
  settings: OptimizerStep,
): AdamwUpdate {
  const { learningRate, beta1, beta2, epsilon, maxGradNorm } = settings;
  let squares = 0;
  for (const gradient of gradients.values()) for (const value of gradient) squares += value * value;
  const gradNorm = Math.sqrt(squares);
  const scale = Math.min(1, maxGradNorm / (gradNorm + 1e-6));
  const steps = (state?.steps ?? 0) + 1;

  const updated = new Map<string, Float64Array>();
  const firstMoments = new Map<string, Float64Array>();
  const secondMoments = new Map<string, Float64Array>();
  for (const [name, values] of parameters) {
    const weightDecay = settings.decayVectors || !IS_VECTOR.test(name) ? settings.weightDecay : 0;
    const gradient = (gradients.get(name) ?? new Float64Array()).map((value) => value * scale);
    if (gradient.length !== values.length) {
      throw errors.lengthMismatch({
        action: "update weights",
        name: `gradient of ${name}`,
        length: gradient.length,
        expected: values.length,
      });
    }
    const firstBefore = state?.firstMoments.get(name);
    const secondBefore = state?.secondMoments.get(name);
    const first = gradient.map((g, i) => beta1 * (firstBefore?.[i] ?? 0) + (1 - beta1) * g);
    const second = gradient.map((g, i) => beta2 * (secondBefore?.[i] ?? 0) + (1 - beta2) * g * g);
    firstMoments.set(name, first);
    secondMoments.set(name, second);
    updated.set(
      name,
      values.map((value, i) => {
        const mean = first[i]! / (1 - beta1 ** steps);
        const deviation = Math.sqrt(second[i]! / (1 - beta2 ** steps));
        return value * (1 - learningRate * weightDecay) - (learningRate * mean) / (deviation + epsilon);
      }),
    );
  }
  return { parameters: updated, state: { steps, firstMoments, secondMoments }, gradNorm };
}
