import type { RewardedGroup } from "../hooks/hooks.js";
import type { StepPlan } from "../records/step-plan.js";
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

  /**
   * What to warn of after a step in lockstep. Further updates on a cohort move the policy, and a forced token has the
   * logprob that its plugin wants: where either is there, nothing can be said.
   *
   * @param metrics of the update; `mismatch/max` is the largest |Δ_t|
   * @returns undefined while both agree, and ever after the first warning
   * @example
   * new MismatchAlarm().check({ updatesPerBatch: 1 }, [], { "mismatch/max": 0 }); // undefined
   */
  check(
    { updatesPerBatch }: Pick<StepPlan, "updatesPerBatch">,
    groups: readonly RewardedGroup[],
    { "mismatch/max": largest = 0 }: Readonly<Record<string, number>>,
  ): string | undefined {
    if (this.#hasRung || updatesPerBatch > 1 || Math.expm1(largest) <= TOLERANCE || groups.some(hasForced)) return;
    this.#hasRung = true;
    return `the learner gives sampled tokens other logprobs than the policy that sampled them, by up to ${largest.toPrecision(3)} nats, before anything was learned: it sees other prompts than the sampler did, or their engines compute apart, and every importance ratio is wrong`;
  }
}

function hasForced({ group: { samples } }: RewardedGroup): boolean {
  return samples.some(({ trajectory }) => trajectory.origins.includes(ORIGIN.forced));
}
