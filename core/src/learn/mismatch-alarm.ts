import type { RewardedGroup } from "../hooks/hooks.js";
import { ORIGIN } from "../records/trajectory.js";

/** Largest |ρ − 1| before any update that is left to rounding. Engines here agree to the bit. */
const TOLERANCE = 1e-5;

/**
 * Rings when a policy that has not moved since it sampled gives its tokens other probabilities in learning: the learner
 * sees them behind another prompt, or computes another way. Either makes every importance ratio wrong, and nothing else
 * in a run would tell.
 *
 *     max_t |exp(Δ_t) − 1| > 1e-5,   Δ_t = learner's logprob − sampler's, in nats
 *
 * Source: TFPI (arXiv:2509.26226), whose old and new logprobs are conditioned on the thinking-free prompt alike.
 */
export class MismatchAlarm {
  #hasRung = false;
  #hasBeenHeard = false;

  /**
   * What to warn of after a step: a difference at tokens that the very version drew which learned from them.
   *
   * @param metrics of the update; `mismatch/same/max` is the largest |Δ_t|, absent where nothing was compared
   * @returns undefined while both agree, and ever after the first warning
   * @example
   * new MismatchAlarm().check({ "mismatch/same/max": 0 }); // undefined
   */
  check({ "mismatch/same/max": largest }: Readonly<Record<string, number>>): string | undefined {
    if (this.#hasRung || largest === undefined || Math.expm1(largest) <= TOLERANCE) return;
    this.#hasRung = true;
    return `the learner gives sampled tokens other logprobs than the policy that sampled them, by up to ${largest.toPrecision(3)} nats, before anything was learned: it sees other prompts than the sampler did, or their engines compute apart, and every importance ratio is wrong`;
  }

  /**
   * Why the first update of a run compared nothing: silence is then no sign of agreement.
   *
   * @param groups of the update
   * @returns undefined once anything was compared, and ever after the first answer
   */
  silence(
    { "mismatch/measured": share }: Readonly<Record<string, number>>,
    groups: readonly RewardedGroup[],
  ): string | undefined {
    if (this.#hasBeenHeard || share === undefined) return;
    this.#hasBeenHeard = true;
    if (share > 0) return;
    const why = groups.some(hasForced)
      ? "plugins force tokens whose logprobs they set, and without importance weights (loss.importance) no single token's is there"
      : "earlier versions drew the tokens";
    return `sampler and learner could not be compared (mismatch/measured is 0): ${why}`;
  }
}

function hasForced({ group: { samples } }: RewardedGroup): boolean {
  return samples.some(({ trajectory }) => trajectory.origins.includes(ORIGIN.forced));
}
