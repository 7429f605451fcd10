/** Largest |ρ − 1| before any update that is left to rounding. Ours is 0; engines that round apart stay below it. */
const TOLERANCE = 1e-5;

/**
 * What is wrong when a policy that has not moved since it sampled gives its tokens other probabilities in learning: the
 * learner sees them behind another prompt, or computes another way. Either makes every importance ratio wrong, and
 * nothing else in a run would tell.
 *
 *     max_t |exp(Δ_t) − 1| > 1e-5,   Δ_t = learner's logprob − sampler's, in nats
 *
 * Source: TFPI (arXiv:2509.26226), whose old and new logprobs are conditioned on the thinking-free prompt alike.
 *
 * @param largest |Δ_t| of one update on what the version it begins with has sampled: the metric `mismatch/max`
 * @returns undefined when both agree
 * @example
 * mismatchWarning(0); // undefined
 */
export function mismatchWarning(largest: number): string | undefined {
  if (Math.expm1(largest) <= TOLERANCE) return undefined;
  return `the learner gives sampled tokens other logprobs than the policy that sampled them, by up to ${largest.toPrecision(3)} nats, before anything was learned: it sees other prompts than the sampler did, or their engines compute apart, and every importance ratio is wrong`;
}
