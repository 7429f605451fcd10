import { definePlugin, groupAdvantages, overlongPenalty, policyLength, samplesOf, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "dapo",
  version: "1.0.0",
  description: "Clip-higher, token-level loss, and only groups with both right and wrong answers",
  config: z.strictObject({
    std: z.enum(["sample", "population"]).default("sample").describe("Deviation over G - 1 or over G"),
    clipLow: z.number().min(0).default(0.2).describe("Ratio is clipped below 1 - clipLow"),
    clipHigh: z.number().min(0).default(0.28).describe("Ratio is clipped above 1 + clipHigh"),
    dynamicSampling: z
      .boolean()
      .default(true)
      .describe("Samples again in place of groups whose answers are all right or all wrong"),
    wrongReward: z
      .number()
      .max(0)
      .default(0)
      .describe(
        "Reward of a wrong answer; DAPO has -1. Without a punishment of length it changes nothing, as advantages are normalised",
      ),
    overlongBuffer: z
      .int()
      .min(0)
      .default(0)
      .describe("Tokens before the token budget in which the reward falls by up to 1; 0 switches the punishment off"),
  }),
  hooks: {
    reward: {
      reads: ["length", "reward", "plan.maxTokens"],
      writes: ["reward"],
      run: ({ config, plan }, cohort, rewards_N) =>
        config.overlongBuffer === 0 && config.wrongReward === 0
          ? undefined
          : samplesOf(cohort).map(({ trajectory }, i) => {
              const reward = config.wrongReward + (1 - config.wrongReward) * rewards_N[i]!;
              return config.overlongBuffer === 0
                ? reward
                : reward + overlongPenalty(policyLength(trajectory), plan.maxTokens, config.overlongBuffer);
            }),
    },
    keep: {
      reads: ["verdict"],
      writes: ["keep"],
      run: ({ config }, { group }, decision) => {
        if (!config.dynamicSampling || decision !== "keep") return undefined;
        // Verdicts, not rewards: shaping tells answers of equal correctness apart and would keep every group.
        const correct = group.samples.filter((sample) => sample.verdict.kind === "pass").length;
        return correct > 0 && correct < group.samples.length ? "keep" : "resample";
      },
    },
    advantage: {
      reads: ["reward"],
      writes: ["advantage"],
      run: (ctx, groups) =>
        groups.flatMap(({ rewards_G }) => groupAdvantages(rewards_G, { std: ctx.config.std, epsilon: 1e-6 })),
    },
    loss: {
      writes: ["loss.spec"],
      run: ({ config }, { spec }) => ({
        spec: {
          ...spec,
          ratio: "token",
          aggregation: "token-mean",
          clipLow: config.clipLow,
          clipHigh: config.clipHigh,
        },
      }),
    },
  },
});
