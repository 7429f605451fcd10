import { definePlugin, mean, policyLength, type Sample, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "shorterbetter",
  version: "1.0.0",
  description: "The group's shortest right answer sets the length that all of them aim at",
  config: z.strictObject({
    alpha: z.number().min(0).default(2).describe("Reward of a right answer"),
    beta: z.number().min(0).default(0.001).describe("Reward lost per token beside the aim"),
  }),
  hooks: {
    reward: {
      reads: ["verdict", "length"],
      writes: ["reward", "reward.base"],
      run: ({ config }, cohort) =>
        cohort.groups.flatMap(({ samples }) => {
          const aim = optimalLength(samples);
          return samples.map(
            ({ trajectory, verdict }) =>
              (verdict.kind === "pass" ? config.alpha : 0) - config.beta * Math.abs(policyLength(trajectory) - aim),
          );
        }),
    },
    observe: {
      reads: ["verdict", "length"],
      run: (_ctx, _report, cohort) => ({
        "shorterbetter/aim/mean": mean(cohort.groups.map(({ samples }) => optimalLength(samples))),
      }),
    },
  },
});

/**
 * The length that a group aims at, tokens.
 *
 *     SOL = min { L_i : right }  or, when none is right,  mean L_i
 *
 * Source: ShorterBetter (arXiv:2504.21370), sample optimal length.
 */
export function optimalLength(samples: readonly Sample[]): number {
  const length = ({ trajectory }: Sample): number => policyLength(trajectory);
  const right = samples.filter(({ verdict }) => verdict.kind === "pass");
  return right.length > 0 ? Math.min(...right.map(length)) : mean(samples.map(length));
}
