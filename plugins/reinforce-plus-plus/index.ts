import { definePlugin, responseLength, whitenedGroupAdvantages, whitenedReturns, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "reinforce-plus-plus",
  version: "1.0.0",
  description: "Token advantages whitened over the whole batch",
  config: z.strictObject({
    baseline: z.boolean().default(false).describe("Takes the group's mean off each reward before whitening"),
    discount: z.number().min(0).max(1).default(1).describe("Discount of the return per token; without baseline only"),
  }),
  hooks: {
    advantage: {
      reads: ["reward", "length"],
      writes: ["advantage"],
      run: (ctx, groups) => {
        const rewards_P_G = groups.map(({ rewards_G }) => rewards_G);
        const lengths_P_G = groups.map(({ group }) => group.samples.map((sample) => responseLength(sample.trajectory)));
        if (ctx.config.baseline) return whitenedGroupAdvantages(rewards_P_G, lengths_P_G);
        const lengths = lengths_P_G.flat();
        return whitenedReturns(
          rewards_P_G.flat().map((reward, i) => rewardAtEnd(reward, lengths[i]!)),
          ctx.config.discount,
        );
      },
    },
  },
});

/** Token rewards of an answer whose outcome is known at its last token; shape [length]. */
function rewardAtEnd(reward: number, length: number): Float64Array {
  const rewards_T = new Float64Array(length);
  rewards_T[length - 1] = reward;
  return rewards_T;
}
