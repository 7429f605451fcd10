import { definePlugin, mean, samplesOf, type RewardedGroup, type Sample, type Task, z } from "@troupe/core/sdk";
import { errors } from "../errors.js";

const config = z.strictObject({
  delta: z.number().min(0).default(0.05).describe("What an answer without thinking earns beside its reward"),
  thinkStarter: z.string().min(1).default("Okay").describe("Token that a thinking response is made to begin with"),
  noThinkToken: z.string().min(1).default("</think>").describe("Token that a response without thinking begins with"),
  noThinkMaxTokens: z.int().min(1).optional().describe("Token budget without thinking; absent takes the step's"),
  referenceField: z
    .string()
    .min(1)
    .default("referenceAccuracy")
    .describe("Field of a task's facts with the starting policy's mean accuracy on it, in [0, 1]"),
  referenceByDifficulty: z
    .record(z.string(), z.number().min(0).max(1))
    .default({})
    .describe("That accuracy by the task's difficulty, for tasks without the field"),
});

type Config = z.output<typeof config>;

export default definePlugin({
  name: "adaptthink",
  version: "1.0.0",
  description: "Half of each group is made to think and half not; not thinking pays where it costs no accuracy",
  config,
  hooks: {
    format: {
      reads: ["plan.groupSize"],
      writes: ["prompt.forcedPrefix", "prompt.mode", "annotation.forcedMode"],
      run: ({ config: { noThinkToken, thinkStarter }, plan, phase, slot }) => {
        if (phase !== "train") return undefined;
        const isFree = slot < plan.groupSize / 2;
        return {
          // The two halves stand for a policy that chooses each mode half of the time.
          forcedPrefix: { text: isFree ? noThinkToken : thinkStarter, logprob: Math.log(0.5) },
          annotations: { forcedMode: isFree ? "no-think" : "think" },
        };
      },
    },
    sampling: {
      writes: ["sampling.maxTokens"],
      run: ({ config: { noThinkMaxTokens }, plan, phase, slot }) =>
        phase === "train" && noThinkMaxTokens !== undefined && slot < plan.groupSize / 2
          ? { maxTokens: Math.min(noThinkMaxTokens, plan.maxTokens) }
          : undefined,
    },
    advantage: {
      reads: ["task", "reward", "annotation.forcedMode"],
      writes: ["advantage"],
      run: (ctx, groups) => groups.flatMap((group) => adaptAdvantages(group, ctx.config)),
    },
    loss: {
      writes: ["loss.spec"],
      run: (_ctx, { spec }) => ({ spec: { ...spec, ratio: "sequence", aggregation: "seq-mean-token-mean" } }),
    },
    observe: {
      reads: ["verdict", "annotation.forcedMode"],
      run: (_ctx, _report, cohort) => {
        const accuracy = (mode: string): readonly number[] =>
          samplesOf(cohort)
            .filter((sample) => modeOf(sample) === mode)
            .map(({ verdict }) => (verdict.kind === "pass" ? 1 : 0));
        return {
          "adaptthink/accuracy/think": mean(accuracy("think")),
          "adaptthink/accuracy/no_think": mean(accuracy("no-think")),
        };
      },
    },
  },
});

function modeOf({ trajectory }: Sample): unknown {
  return trajectory.annotations["forcedMode"];
}

/**
 * Advantages without any statistics of the group.
 *
 *     A_i = 1[no think] δ + R_i − R_ref(x)
 *
 * R_ref: mean accuracy of the policy that training begins with, measured before. Source: AdaptThink (arXiv:2505.13417).
 */
export function adaptAdvantages({ group, rewards_G }: RewardedGroup, settings: Config): readonly number[] {
  const reference = referenceOf(group.task, settings);
  return group.samples.map(
    (sample, i) => (modeOf(sample) === "no-think" ? settings.delta : 0) + rewards_G[i]! - reference,
  );
}

function referenceOf({ id, meta }: Task, { referenceField, referenceByDifficulty }: Config): number {
  const own = meta[referenceField];
  if (typeof own === "number") return own;
  const known = referenceByDifficulty[String(meta["difficulty"])];
  if (known === undefined) throw errors.referenceAccuracyMissing({ task: id, field: referenceField });
  return known;
}
