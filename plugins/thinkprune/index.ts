import { definePlugin, isTruncated, samplesOf, z } from "@troupe/core/sdk";
import {
  firstStage,
  followStages,
  planOfStage,
  reportStages,
  stageFields,
  type StagePosition,
} from "../stage-schedule.js";

const config = z
  .strictObject({
    stages: z
      .array(z.strictObject(stageFields))
      .default([])
      .describe("Stages with a smaller and smaller token budget; none: the run's own budget throughout"),
    request: z
      .string()
      .includes("{limit}")
      .default("Think and answer within {limit} tokens.")
      .describe("System prompt; {limit} stands for the step's token budget"),
  })
  .check(reportStages);

export default definePlugin<typeof config, { readonly position: StagePosition }>({
  name: "thinkprune",
  version: "1.0.0",
  description: "Tightens the token budget stage by stage, says it in the prompt, and pays nothing for overruns",
  config,
  modes: ["pruned"],
  // A state is what a checkpoint of this plugin held.
  init: (_config, previous) => (previous as { position: StagePosition } | undefined) ?? { position: firstStage() },
  hooks: {
    plan: {
      writes: ["plan.stage", "plan.maxTokens", "plan.resetOptimizer"],
      run: (ctx, plan) => {
        const { stages } = ctx.config;
        const hasSwitched = followStages(ctx.state.position, stages, ctx);
        const stage = stages[ctx.state.position.index];
        if (stage && hasSwitched) ctx.event(`stage "${stage.name}": at most ${stage.maxTokens} tokens`);
        return { ...(stage && planOfStage(stage)), resetOptimizer: plan.resetOptimizer || hasSwitched };
      },
    },
    format: {
      reads: ["plan.maxTokens"],
      writes: ["prompt.messages", "prompt.lengthTarget"],
      run: ({ config: { request }, plan }, prompt) => ({
        messages: [{ role: "system", content: request.replace("{limit}", String(plan.maxTokens)) }, ...prompt.messages],
      }),
    },
    reward: {
      reads: ["trajectory", "reward"],
      writes: ["reward"],
      run: (_ctx, cohort, rewards_N) =>
        samplesOf(cohort).map(({ trajectory }, i) => (isTruncated(trajectory) ? 0 : rewards_N[i]!)),
    },
  },
});
