import type { LossSpec } from "../records/loss-spec.js";

/** An estimate of divergence at one token, nats, and its derivative with respect to the policy's logprob. */
export interface KlEstimate {
  readonly value: number;
  readonly slope: number;
}

/**
 * One-token estimate of KL(policy ‖ reference) when the token was sampled from the policy.
 *
 *     d = logprob − referenceLogprob
 *     k1 = d                    unbiased, high variance, may be negative
 *     k2 = d² / 2               biased, low variance, never negative
 *     k3 = exp(−d) + d − 1      unbiased, low variance, never negative
 *
 * The slope differentiates the estimate at the token that was sampled; it is not the gradient of the expectation.
 * Source: J. Schulman, "Approximating KL divergence" (2020); k3 in GRPO (arXiv:2402.03300).
 *
 * @example
 * klEstimate("k3", Math.log(0.5), Math.log(0.4)).value; // ≈ 0.0231
 */
export function klEstimate(estimator: LossSpec["klEstimator"], logprob: number, referenceLogprob: number): KlEstimate {
  const difference = logprob - referenceLogprob;
  switch (estimator) {
    case "k1":
      return { value: difference, slope: 1 };
    case "k2":
      return { value: (difference * difference) / 2, slope: difference };
    case "k3": {
      const excess = Math.expm1(-difference);
      // Rounding may leave the difference of two equal numbers a hair below 0.
      return { value: Math.max(0, excess + difference), slope: -excess };
    }
  }
}
