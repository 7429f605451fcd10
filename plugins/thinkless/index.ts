import {
  definePlugin,
  groupAdvantages,
  mean,
  responseLength,
  samplesOf,
  type RewardedGroup,
  type Sample,
  z,
} from "@troupe/core/sdk";

export default definePlugin({
  name: "thinkless",
  version: "1.0.0",
  description: "The first token chooses between thinking and a short answer, and has a loss term of its own",
  config: z.strictObject({
    shortToken: z.string().min(1).default("<short>").describe("How a response without thinking begins; one token"),
    thinkToken: z.string().min(1).default("<think>").describe("How a response with thinking begins; one token"),
    shortCorrect: z.number().default(1).describe("Reward of a right answer without thinking"),
    thinkCorrect: z.number().default(0.5).describe("Reward of a right answer after thinking"),
    wrong: z.number().default(-1).describe("Reward of a wrong answer in either mode"),
    controlWeight: z
      .number()
      .min(0)
      .default(0.001)
      .describe("Weight of the control token's term beside that of all other tokens"),
  }),
  modes: ["choose"],
  hooks: {
    format: {
      reads: ["prompt.assistantPrefix"],
      writes: ["prompt.assistantPrefix", "prompt.mode"],
      // The policy writes the tag itself: that is its choice.
      run: (_ctx, prompt) => ({ assistantPrefix: prompt.assistantPrefix.replace(/<think>\s*$/, "") }),
    },
    annotate: {
      reads: ["trajectory"],
      writes: ["annotation.thinklessMode"],
      run: ({ config }, { responseText }) => ({
        thinklessMode: responseText.startsWith(config.thinkToken)
          ? "think"
          : responseText.startsWith(config.shortToken)
            ? "short"
            : "neither",
      }),
    },
    reward: {
      reads: ["verdict", "annotation.thinklessMode"],
      writes: ["reward", "reward.base"],
      run: ({ config }, cohort) =>
        samplesOf(cohort).map((sample) => {
          if (sample.verdict.kind !== "pass") return config.wrong;
          return modeOf(sample) === "short" ? config.shortCorrect : config.thinkCorrect;
        }),
    },
    advantage: {
      reads: ["reward"],
      writes: ["advantage"],
      run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => groupAdvantages(rewards_G, { std: "none", epsilon: 0 })),
    },
    loss: {
      reads: ["length"],
      writes: ["loss.spec", "loss.tokenWeights"],
      run: ({ config }, { spec }, groups) => ({
        spec: { ...spec, ratio: "token", aggregation: "token-mean" },
        tokenWeights: decoupledWeights(groups, config.controlWeight),
      }),
    },
    observe: {
      reads: ["verdict", "annotation.thinklessMode"],
      run: (_ctx, _report, cohort) => {
        const samples = samplesOf(cohort);
        const share = (mode: string): number => mean(samples.map((sample) => (modeOf(sample) === mode ? 1 : 0)));
        return { "thinkless/think_rate": share("think"), "thinkless/neither_rate": share("neither") };
      },
    },
  },
});

function modeOf({ trajectory }: Sample): unknown {
  return trajectory.annotations["thinklessMode"];
}

/**
 * Factors on a token mean that part the control token from the answer.
 *
 *     J = α · mean over sequences of J_0  +  mean over all other tokens of J_t
 *
 * A token mean weighs each of T tokens 1/T; so the first of each of S responses gets α T / S, any other T / (T − S).
 * Source: Thinkless (arXiv:2505.13379), decoupled GRPO. With several updates per batch the means are those of the step.
 */
export function decoupledWeights(
  groups: readonly RewardedGroup[],
  controlWeight: number,
): ReadonlyMap<string, Float32Array> {
  const samples = groups.flatMap(({ group }) => group.samples);
  const tokens = samples.reduce((sum, { trajectory }) => sum + responseLength(trajectory), 0);
  const control = (controlWeight * tokens) / samples.length;
  const other = tokens / Math.max(1, tokens - samples.length);
  return new Map(
    samples.map(({ trajectory }) => {
      const factors = new Float32Array(responseLength(trajectory)).fill(other);
      if (factors.length > 0) factors[0] = control;
      return [trajectory.id, factors];
    }),
  );
}
