import { definePlugin, groupAdvantages, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "dr-grpo",
  version: "1.0.0",
  description: "Centred advantages and a constant token normaliser, so neither length nor spread biases the update",
  config: z.strictObject({
    normConstant: z
      .int()
      .min(1)
      .optional()
      .describe("Divisor of an answer's token sum, tokens; absent takes the step's token budget"),
    clipLow: z.number().min(0).default(0.2).describe("Ratio is clipped below 1 - clipLow"),
    clipHigh: z.number().min(0).default(0.2).describe("Ratio is clipped above 1 + clipHigh"),
  }),
  hooks: {
    advantage: {
      reads: ["reward"],
      writes: ["advantage"],
      run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => groupAdvantages(rewards_G, { std: "none", epsilon: 0 })),
    },
    loss: {
      reads: ["plan.maxTokens"],
      writes: ["loss.spec"],
      run: ({ config, plan }, { spec }) => ({
        spec: {
          ...spec,
          ratio: "token",
          aggregation: "seq-mean-token-sum-norm",
          normConstant: config.normConstant ?? plan.maxTokens,
          clipLow: config.clipLow,
          clipHigh: config.clipHigh,
        },
      }),
    },
  },
});
