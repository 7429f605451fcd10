import { describe, expect, it } from "vitest";
import { groupAdvantages } from "../../../core/src/numerics/advantages.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { mean } from "../../../core/src/numerics/statistics.js";
import { balancedReward, naiveReward, type Outcome } from "../../../plugins/autothink/rewards.js";

const GROUPS = 32;
const SIZE = 8;
const STEPS = 400;

interface Setting {
  /** Think rate at the start. */
  readonly start: number;
  /** Accuracy without thinking; with thinking it is 0.6. */
  readonly noThink: number;
  readonly gamma: number;
  readonly std: "sample" | "none";
}

/** Mean think rate over the last steps of a policy with one logit for its mode, trained on AutoThink's rewards. */
function settledRate({ start, noThink, gamma, std }: Setting, seed: number): number {
  const random = new Random(deriveKey(seed, "modes"));
  let logit = Math.log(start / (1 - start));
  const rates = Array.from({ length: STEPS }, () => {
    const rate = 1 / (1 + Math.exp(-logit));
    const outcomes = Array.from({ length: GROUPS * SIZE }, (): Outcome => {
      const think = random.uniform() < rate;
      return { think, correct: random.uniform() < (think ? 0.6 : noThink) };
    });
    const share = outcomes.filter((outcome) => outcome.think).length / outcomes.length;
    const rewards = outcomes.map((outcome) => {
      const naive = naiveReward({ ...outcome, isFormatError: false, isDegenerate: false }, -1);
      return balancedReward(naive, outcome, share, { gamma, lambda: 2 });
    });
    // d log π(mode) / d logit is 1 − rate for thinking and −rate for the other.
    const push = outcomes.map((outcome) => (outcome.think ? 1 : 0) - rate);
    const groups = Array.from({ length: GROUPS }, (_, g) => rewards.slice(g * SIZE, (g + 1) * SIZE));
    const advantages = groups.flatMap((rewards_G) => groupAdvantages(rewards_G, { std, epsilon: 1e-6 }));
    logit += mean(advantages.map((advantage, i) => advantage * push[i]!));
    return rate;
  });
  return mean(rates.slice(-100));
}

describe("balancedReward() in training", () => {
  it.each([0.05, 0.5, 0.95])("keeps both modes alive when a policy starts at a think rate of %d", (start) => {
    const rate = settledRate({ start, noThink: 0.5, gamma: 0.5, std: "sample" }, 1);
    expect(rate).toBeGreaterThan(0.05);
    expect(rate).toBeLessThan(0.95);
  });

  it("settles at 0.5 + (p_t - 3 p_n + 1) / lambda when advantages are centred alone", () => {
    expect(settledRate({ start: 0.5, noThink: 0.3, gamma: 0.5, std: "none" }, 1)).toBeCloseTo(0.85, 1);
    expect(settledRate({ start: 0.5, noThink: 0.5, gamma: 0.5, std: "none" }, 1)).toBeCloseTo(0.55, 1);
  });

  it("lets thinking take over when gamma is 1, which switches it off", () => {
    expect(settledRate({ start: 0.5, noThink: 0.3, gamma: 1, std: "sample" }, 1)).toBeGreaterThan(0.95);
  });
});
