/**
 * Entropy of a distribution over its most probable tokens alone.
 *
 *     H = − Σ_k p_k ln p_k,   p_k as they are, or divided by their sum
 *
 * Source: RPT (arXiv:2506.08007), which filters positions by the entropy over the top 16 of a proxy's predictions and
 * leaves open whether those are renormalised.
 *
 * @param logprobs_K nats
 * @returns nats; a token of probability 0 adds nothing
 * @example
 * topEntropy([0.5, 0.25, 0.125, 0.125].map(Math.log), false); // ≈ 1.213008
 */
export function topEntropy(logprobs_K: ArrayLike<number>, renormalise: boolean): number {
  let mass = 0;
  let sum = 0;
  for (let k = 0; k < logprobs_K.length; k++) {
    const p = Math.exp(logprobs_K[k]!);
    mass += p;
    if (p > 0) sum -= p * logprobs_K[k]!;
  }
  // With q = p / mass: − Σ q ln q = Σ (− p ln p) / mass + ln mass.
  return renormalise && mass > 0 ? sum / mass + Math.log(mass) : sum;
}
