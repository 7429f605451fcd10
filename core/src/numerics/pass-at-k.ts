import { errors } from "../errors.js";

/**
 * Probability that at least one of k answers is correct, estimated without bias from n ≥ k answers to one task.
 *
 *     pass@k = 1 − C(n − c, k) / C(n, k) = 1 − Π_{i = n−c+1}^{n} (1 − k / i)
 *
 * The product needs no factorials. Source: "Evaluating large language models trained on code" (arXiv:2107.03374).
 *
 * @param samples n
 * @param correct c, in [0, n]
 * @returns in [0, 1]; 1 when n − c < k. The mean over tasks is the score of a taskset.
 * @throws PASS_AT_K_NOT_DEFINED
 * @example
 * passAtK(16, 6, 8); // ≈ 0.9965
 */
export function passAtK(samples: number, correct: number, k: number): number {
  if (!(correct >= 0 && correct <= samples && k >= 1 && k <= samples)) {
    throw errors.passAtKNotDefined({ samples, correct, k });
  }
  if (samples - correct < k) return 1;
  let noneCorrect = 1;
  for (let i = samples - correct + 1; i <= samples; i++) noneCorrect *= 1 - k / i;
  return 1 - noneCorrect;
}
