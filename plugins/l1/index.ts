import { definePlugin, deriveKey, mean, Random, policyLength, samplesOf, type Sample, z } from "@troupe/core/sdk";
import { errors } from "../errors.js";

const parametersSchema = z.object({ key: z.int() });

export default definePlugin({
  name: "l1",
  version: "1.0.0",
  description: "Length-controlled answers: the prompt names a budget, and the reward holds the policy to it",
  config: z
    .strictObject({
      variant: z
        .enum(["exact", "max"])
        .default("exact")
        .describe('"exact" pays for meeting the budget, "max" for staying below it'),
      minTokens: z.int().min(1).default(100).describe("Smallest budget drawn for a task"),
      maxTokens: z.int().min(1).default(4000).describe("Largest"),
      alpha: z.number().min(0).default(0.0003).describe("Exact: reward lost per token beside the budget"),
      slope: z
        .number()
        .positive()
        .default(0.0006)
        .describe("Max: how fast the reward of a right answer goes from 0.5 at the budget to 1 below and 0 beyond it"),
      evalTokens: z.int().min(1).default(2048).describe('Budget of every task in evaluation mode "budget"'),
    })
    .refine(({ minTokens, maxTokens }) => minTokens <= maxTokens, "minTokens is above maxTokens"),
  modes: ["budget"],
  hooks: {
    plan: {
      writes: ["plan.parameters"],
      // One draw for the step: every slot of a group, on whichever thread, gets its task's budget from it.
      run: (ctx, plan) => ({
        parameters: { ...plan.parameters, [ctx.plugin]: { key: ctx.random.integer(0, 2 ** 31) } },
      }),
    },
    format: {
      reads: ["task", "plan.parameters"],
      writes: ["prompt.messages", "prompt.lengthTarget", "annotation.tokenBudget"],
      run: (ctx, prompt, task) => {
        const { variant, minTokens, maxTokens, evalTokens } = ctx.config;
        let budget = evalTokens;
        if (ctx.phase === "train") {
          const parameters = parametersSchema.safeParse(ctx.plan.parameters[ctx.plugin]);
          if (!parameters.success) throw errors.stageParametersMissing({ plugin: ctx.plugin, step: ctx.step });
          budget = new Random(deriveKey(parameters.data.key, task.id)).integer(minTokens, maxTokens + 1);
        }
        const request = `Think for ${variant === "max" ? "maximum " : ""}${budget} tokens.`;
        const last = prompt.messages.length - 1;
        const messages = prompt.messages.map((message, index) =>
          index === last ? { ...message, content: `${message.content} ${request}` } : message,
        );
        return { messages, annotations: { tokenBudget: budget } };
      },
    },
    reward: {
      reads: ["verdict", "length", "annotation.tokenBudget"],
      writes: ["reward", "reward.base"],
      run: ({ config }, cohort) => samplesOf(cohort).map((sample) => budgetReward(sample, config)),
    },
    observe: {
      reads: ["length", "annotation.tokenBudget"],
      run: (_ctx, _report, cohort) => {
        const misses = samplesOf(cohort).map(({ trajectory }) => policyLength(trajectory) - budgetOf(trajectory));
        return {
          "l1/budget/error": mean(misses.map(Math.abs)),
          "l1/budget/over": mean(misses.map((miss) => (miss > 0 ? 1 : 0))),
        };
      },
    },
  },
});

/**
 * Reward of one answer under its budget N, with L response tokens.
 *
 *     exact   1[right] − α |L − N|
 *     max     1[right] · (clip(k (N − L), −1, 1) + 1) / 2
 *
 * Source: L1 (arXiv:2503.04697), LCPO-Exact and LCPO-Max; the second in the form of the authors' code, whose k is twice
 * the paper's α of clip(α (N − L) + 0.5, 0, 1).
 */
export function budgetReward(
  { trajectory, verdict }: Sample,
  { variant, alpha, slope }: { readonly variant: "exact" | "max"; readonly alpha: number; readonly slope: number },
): number {
  const right = verdict.kind === "pass" ? 1 : 0;
  const left = budgetOf(trajectory) - policyLength(trajectory);
  if (variant === "exact") return right - alpha * Math.abs(left);
  return (right * (Math.min(1, Math.max(-1, slope * left)) + 1)) / 2;
}

function budgetOf({ id, annotations }: Sample["trajectory"]): number {
  const { tokenBudget } = annotations;
  if (typeof tokenBudget !== "number")
    throw errors.annotationMissing({ sample: id, annotation: "tokenBudget", plugin: "l1" });
  return tokenBudget;
}
