import {
  definePlugin,
  policyLength,
  samplesOf,
  splitThinking,
  z,
  type JsonObject,
  type Sample,
} from "@troupe/core/sdk";
import { errors } from "../errors.js";
import {
  firstStage,
  followStages,
  optimizerField,
  planOfStage,
  reportStages,
  stageFields,
  type StagePosition,
} from "../stage-schedule.js";
import { isDegenerate } from "./degeneration.js";
import { withEllipsis } from "./ellipsis.js";
import { modeMetrics } from "./mode-metrics.js";
import { isThinking } from "./mode.js";
import { balancedReward, lengthAwareRewards, naiveReward, type NaiveOutcome } from "./rewards.js";

const shaping = {
  gamma: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(null)
    .describe("Share of one mode that the balance tolerates; null is off"),
  alpha: z.number().min(0).default(0).describe("Strength of the length reward among right answers; 0 is off"),
  beta: z.number().min(0).default(0).describe("Strength of the length reward among wrong answers; 0 is off"),
};
const shapingSchema = z.object(shaping);

const config = z
  .strictObject({
    stages: z
      .array(z.strictObject({ ...stageFields, ...shaping }))
      .default([])
      .describe(
        "Stages in order, the last until the run ends; none: the naive reward throughout, at the run's own token budget",
      ),
    lambda: z.number().min(0).default(2).describe("How fast the balance's penalty grows above gamma"),
    detection: z
      .enum(["authors", "lenient"])
      .default("authors")
      .describe('"authors" asks for two newlines after an immediate </think>, "lenient" for none'),
    formatErrorReward: z
      .number()
      .default(-1)
      .describe("Reward of an answer without thinking and without box: -1 as in the paper, 0 as in the authors' code"),
    degenerationGuard: z
      .enum(["response", "prompt-and-response", "off"])
      .default("response")
      .describe(
        "Which text is looked at for repetition that makes a wrong answer without thinking cost 2; the authors' code looks at both, so that a long word in a problem is punished too",
      ),
    lengthPool: z
      .enum(["both-modes", "per-mode"])
      .default("both-modes")
      .describe(
        "Whether the length reward compares right, or wrong, answers of a group across the modes, as the authors' code does, or within each",
      ),
    optimizer: optimizerField,
    collapse: z
      .strictObject({
        above: z.number().min(0).max(1).default(0.98).describe("Highest think rate that keeps both modes alive"),
        below: z.number().min(0).max(1).default(0.02).describe("Lowest"),
        steps: z.int().min(1).default(20).describe("Steps in a row beyond either before the alarm"),
      })
      .prefault({})
      .describe("Alarm when one mode dies out"),
  })
  .check(reportStages);

type Config = z.output<typeof config>;

interface State {
  readonly position: StagePosition;
  /** Steps in a row with a think rate at an extreme. */
  collapsedSteps: number;
}

export default definePlugin<typeof config, State>({
  name: "autothink",
  version: "1.0.0",
  description:
    "Teaches a policy when to think: ellipsis prompt, mode-dependent reward, balance of the modes, then brevity",
  config,
  modes: ["adaptive"],
  // A state is what `dispose` of this plugin, or a checkpoint of it, returned.
  init: (_config, previous) => (previous as State | undefined) ?? { position: firstStage(), collapsedSteps: 0 },
  hooks: {
    plan: {
      writes: ["plan.stage", "plan.maxTokens", "plan.resetOptimizer", "plan.parameters"],
      run: (ctx, plan) => {
        const { stages } = ctx.config;
        const hasSwitched = followStages(ctx.state.position, stages, ctx);
        const stage = stages[ctx.state.position.index];
        const { gamma, alpha, beta } = stage ?? { gamma: null, alpha: 0, beta: 0 };
        if (stage && hasSwitched) {
          const balance = gamma === null ? "no balance" : `balance ${gamma}`;
          ctx.event(
            `stage "${stage.name}": at most ${stage.maxTokens} tokens, ${balance}, length reward ${alpha}/${beta}`,
          );
        }
        return {
          ...(stage && planOfStage(stage)),
          resetOptimizer: plan.resetOptimizer || (hasSwitched && ctx.config.optimizer === "fresh"),
          parameters: { ...plan.parameters, [ctx.plugin]: { gamma, alpha, beta } },
        };
      },
    },
    format: {
      reads: ["prompt.assistantPrefix"],
      writes: ["prompt.assistantPrefix", "prompt.mode"],
      run: (ctx, prompt) =>
        ctx.phase === "train" || ctx.mode === "adaptive"
          ? { assistantPrefix: withEllipsis(prompt.assistantPrefix) }
          : undefined,
    },
    annotate: {
      reads: ["trajectory"],
      writes: ["annotation.think", "annotation.thinkTokens", "annotation.answerTokens"],
      run: (ctx, trajectory) => {
        const { thinking, answer } = splitThinking(trajectory);
        return {
          think: isThinking(trajectory, ctx.config.detection),
          thinkTokens: ctx.countTokens(thinking),
          answerTokens: ctx.countTokens(answer ?? ""),
        };
      },
    },
    reward: {
      reads: ["verdict", "length", "trajectory", "plan.parameters"],
      writes: ["reward", "reward.base"],
      run: (ctx, cohort) => {
        const parameters = shapingSchema.safeParse(ctx.plan.parameters[ctx.plugin]);
        if (!parameters.success) throw errors.stageParametersMissing({ plugin: ctx.plugin, step: ctx.step });
        const { gamma, alpha, beta } = parameters.data;
        const outcomes_N: NaiveOutcome[] = [];
        const rewards_N: number[] = [];
        for (const { samples } of cohort.groups) {
          const outcomes_G = samples.map((sample) => outcomeOf(sample, ctx.config));
          const shaped_G = lengthAwareRewards(
            outcomes_G.map((outcome, i) => ({
              reward: naiveReward(outcome, ctx.config.formatErrorReward),
              correct: outcome.correct,
              length: policyLength(samples[i]!.trajectory),
              pool: ctx.config.lengthPool === "per-mode" && outcome.think ? 1 : 0,
            })),
            alpha,
            beta,
          );
          outcomes_N.push(...outcomes_G);
          rewards_N.push(...shaped_G);
        }
        if (gamma === null) return rewards_N;
        const thinkShare = outcomes_N.filter((outcome) => outcome.think).length / outcomes_N.length;
        const balance = { gamma, lambda: ctx.config.lambda };
        return rewards_N.map((reward, i) => balancedReward(reward, outcomes_N[i]!, thinkShare, balance));
      },
    },
    observe: {
      reads: ["task", "verdict", "length", "trajectory", "annotation.answerTokens"],
      run: (ctx, _report, cohort) => {
        const difficultyOf = new Map(cohort.groups.map(({ task }) => [task.id, numberIn(task.meta, "difficulty")]));
        const samples = samplesOf(cohort);
        const metrics = modeMetrics(
          samples.map((sample) => ({
            ...outcomeOf(sample, ctx.config),
            length: policyLength(sample.trajectory),
            answerLength: numberIn(sample.trajectory.annotations, "answerTokens"),
            difficulty: difficultyOf.get(sample.trajectory.taskId),
          })),
        );
        const rate = metrics["autothink/think_rate/all"];
        const { above, below, steps } = ctx.config.collapse;
        if (rate !== undefined) {
          ctx.state.collapsedSteps = rate > above || rate < below ? ctx.state.collapsedSteps + 1 : 0;
          if (ctx.state.collapsedSteps === steps) {
            ctx.event(
              `warning: think rate ${rate.toFixed(3)} after ${steps} steps at an extreme; one mode is dying out`,
            );
          }
        }
        return metrics;
      },
    },
  },
});

function outcomeOf({ trajectory, verdict }: Sample, config: Config): NaiveOutcome {
  return {
    think: isThinking(trajectory, config.detection),
    correct: verdict.kind === "pass",
    isFormatError: !splitThinking(trajectory).answer?.includes("\\boxed{"),
    isDegenerate: config.degenerationGuard !== "off" && isDegenerate(guardedText(trajectory, config)),
  };
}

function guardedText({ promptText, responseText }: Sample["trajectory"], { degenerationGuard }: Config): string {
  return degenerationGuard === "response" ? responseText : promptText + responseText;
}

function numberIn(object: JsonObject, key: string): number | undefined {
  const value = object[key];
  return typeof value === "number" ? value : undefined;
}
