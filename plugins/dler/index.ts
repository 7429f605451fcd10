import { definePlugin, isTruncated, mean, policyLength, samplesOf, standardDeviation, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "dler",
  version: "1.0.0",
  description: "Nothing for what runs past the truncation length, advantages normalised over the whole batch",
  config: z.strictObject({
    truncation: z
      .int()
      .min(1)
      .optional()
      .describe("Response tokens from which on an answer scores 0; absent takes the step's token budget"),
    byDifficulty: z
      .record(z.string(), z.int().min(1))
      .default({})
      .describe("Truncation length of tasks by their difficulty, in place of the one above"),
    clipLow: z.number().min(0).default(0.2).describe("Ratio is clipped below 1 - clipLow"),
    clipHigh: z.number().min(0).default(0.28).describe("Ratio is clipped above 1 + clipHigh"),
    dynamicSampling: z
      .boolean()
      .default(true)
      .describe("Samples again in place of groups whose rewards are all 0 or all 1"),
  }),
  hooks: {
    reward: {
      reads: ["task", "length", "reward", "plan.maxTokens"],
      writes: ["reward"],
      run: ({ config, plan }, cohort, rewards_N) => {
        const limits = cohort.groups.flatMap(({ task, samples }) => {
          const special = config.byDifficulty[String(task.meta["difficulty"])];
          return samples.map(() => special ?? config.truncation ?? plan.maxTokens);
        });
        return samplesOf(cohort).map(({ trajectory }, i) =>
          isTruncated(trajectory) || policyLength(trajectory) > limits[i]! ? 0 : rewards_N[i]!,
        );
      },
    },
    keep: {
      reads: ["reward"],
      writes: ["keep"],
      run: ({ config }, { rewards_G }, decision) => {
        if (!config.dynamicSampling || decision !== "keep") return undefined;
        return rewards_G.every((reward) => reward === rewards_G[0]) ? "resample" : "keep";
      },
    },
    advantage: {
      reads: ["reward"],
      writes: ["advantage"],
      run: (_ctx, groups) => batchNormalised(groups.map(({ rewards_G }) => rewards_G)),
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

/**
 * Rewards against their group's mean, then normalised over the batch.
 *
 *     c_i = r_i − mean(group)        A_i = (c_i − mean(batch)) / (std(batch) + 1e-6)
 *
 * Source: DLER (arXiv:2510.15110), batch-wise reward normalisation: a group of nearly equal rewards no longer gets large
 * advantages from its small deviation.
 *
 * @returns advantages_N, group by group
 */
export function batchNormalised(rewards: readonly (readonly number[])[]): readonly number[] {
  const centred = rewards.flatMap((rewards_G) => rewards_G.map((reward) => reward - mean(rewards_G)));
  if (centred.length < 2) return centred.map(() => 0);
  const center = mean(centred);
  const scale = standardDeviation(centred, "sample") + 1e-6;
  return centred.map((value) => (value - center) / scale);
}
