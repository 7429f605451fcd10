import { definePlugin, groupAdvantages, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "grpo",
  version: "1.0.0",
  description: "Group-normalised advantages, symmetric clipping, every answer weighs the same",
  config: z.strictObject({
    std: z.enum(["sample", "population"]).default("sample").describe("Deviation over G - 1 or over G"),
    clipLow: z.number().min(0).default(0.2).describe("Ratio is clipped below 1 - clipLow"),
    clipHigh: z.number().min(0).default(0.2).describe("Ratio is clipped above 1 + clipHigh"),
  }),
  hooks: {
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
          aggregation: "seq-mean-token-mean",
          clipLow: config.clipLow,
          clipHigh: config.clipHigh,
        },
      }),
    },
  },
});
