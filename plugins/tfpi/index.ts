import { definePlugin, mean, policyLength, samplesOf, type Trajectory, z } from "@troupe/core/sdk";
import {
  endStage,
  firstStage,
  followStages,
  optimizerField,
  planOfStage,
  problemsOfStages,
  reportStages,
  stageFields,
  type StagePosition,
} from "../stage-schedule.js";
import { hasPlateaued, type StageEvaluation } from "./plateau.js";
import { opensTwice, thinkFree } from "./think-free.js";
import { verificationShare } from "./verification-share.js";

const config = z
  .strictObject({
    template: z
      .enum(["normalize", "literal"])
      .default("normalize")
      .describe("How the empty think block is put on: once whatever the template opens, or appended without looking"),
    stages: z
      .array(
        z.strictObject({
          ...stageFields,
          thinkFree: z.boolean().default(true).describe("Whether training prompts of the stage are thinking-free"),
        }),
      )
      .default([])
      .describe(
        "Stages in order, the last until the run ends; none: thinking-free throughout, at the run's own token budget",
      ),
    plateau: z
      .strictObject({
        window: z.int().min(1).default(2).describe("Successive evaluations whose changes must all be small"),
        truncationTolerance: z.number().min(0).default(0.02).describe("Change of the truncated share, in [0, 1]"),
        accuracyTolerance: z.number().min(0).default(0.2).describe("Change of validation accuracy, percentage points"),
      })
      .optional()
      .describe("Ends a stage early once truncation and validation accuracy are flat"),
    optimizer: optimizerField,
    decoding: z
      .strictObject({
        temperature: z.number().min(0).optional().describe("Absent takes eval.temperature"),
        topP: z.number().gt(0).max(1).optional().describe("Absent takes eval.topP"),
        topK: z.int().min(0).optional().describe("Absent takes eval.topK"),
      })
      .prefault({})
      .describe("Sampling in evaluation mode thinkfree; absent fields are those of every evaluation"),
    verificationMarkers: z
      .array(z.string().min(1).toLowerCase())
      .default(["check", "verify", "wait"])
      .describe("Words that mark a reasoning step as a check, for the metric tfpi/verification/share"),
  })
  .check((payload) =>
    reportStages(payload, problemsOfStages(payload.value.stages, payload.value.plateau !== undefined)),
  );

interface State {
  readonly position: StagePosition;
  /** Evaluations of the present stage, for the plateau. */
  evaluations: StageEvaluation[];
  hasWarned: boolean;
}

export default definePlugin<typeof config, State>({
  name: "tfpi",
  version: "1.0.0",
  description: "Trains in stages on prompts whose think block is already closed, then hands over to thinking",
  config,
  modes: ["thinkfree"],
  // A state is what `dispose` of this plugin, or a checkpoint of it, returned.
  init: (_config, previous) =>
    (previous as State | undefined) ?? { position: firstStage(), evaluations: [], hasWarned: false },
  hooks: {
    plan: {
      reads: ["report"],
      writes: ["plan.stage", "plan.maxTokens", "plan.resetOptimizer", "plan.parameters"],
      run: (ctx, plan, last) => {
        const { stages, plateau } = ctx.config;
        const { state } = ctx;
        const accuracy = last?.metrics["eval/accuracy"];
        const truncated = last?.metrics["len/truncated"];
        if (accuracy !== undefined && truncated !== undefined) {
          state.evaluations.push({ truncated, accuracy: 100 * accuracy });
        }
        const isFlat = plateau !== undefined && hasPlateaued(state.evaluations, plateau);
        const hasSwitched =
          followStages(state.position, stages, ctx) || (isFlat && endStage(state.position, stages, ctx));
        const stage = stages[state.position.index];
        const isThinkFree = stage?.thinkFree ?? true;
        if (stage && hasSwitched) {
          state.evaluations = [];
          const prompts = isThinkFree ? "thinking-free" : "thinking";
          ctx.event(`stage "${stage.name}": ${prompts} prompts, at most ${stage.maxTokens} tokens`);
        }
        return {
          ...(stage && planOfStage(stage)),
          resetOptimizer: plan.resetOptimizer || (hasSwitched && ctx.config.optimizer === "fresh"),
          parameters: { ...plan.parameters, [ctx.plugin]: { thinkFree: isThinkFree } },
        };
      },
    },
    format: {
      reads: ["prompt.assistantPrefix", "plan.parameters"],
      writes: ["prompt.assistantPrefix", "prompt.mode", "annotation.thinkFree", "annotation.doubledThink"],
      run: (ctx, prompt) => {
        const isThinkFree =
          ctx.phase === "eval" ? ctx.mode === "thinkfree" : ctx.plan.parameters[ctx.plugin]?.["thinkFree"] === true;
        if (!isThinkFree) return undefined;
        const assistantPrefix = thinkFree(prompt.assistantPrefix, ctx.config.template);
        return {
          assistantPrefix,
          annotations: {
            ...prompt.annotations,
            thinkFree: true,
            ...(opensTwice(assistantPrefix) ? { doubledThink: true } : {}),
          },
        };
      },
    },
    sampling: {
      writes: ["sampling.temperature", "sampling.topP", "sampling.topK"],
      run: (ctx) =>
        ctx.phase === "eval" && ctx.mode === "thinkfree"
          ? Object.fromEntries(Object.entries(ctx.config.decoding).filter(([, value]) => value !== undefined))
          : undefined,
    },
    observe: {
      reads: ["length", "annotation.thinkFree", "annotation.doubledThink", "trajectory"],
      run: (ctx, _report, cohort) => {
        const trajectories = samplesOf(cohort).map((sample) => sample.trajectory);
        if (!ctx.state.hasWarned && trajectories.some(({ annotations }) => annotations["doubledThink"] === true)) {
          ctx.state.hasWarned = true;
          ctx.event(
            'warning: prompts open "<think>" twice; set template: normalize unless you replay the original code',
          );
        }
        const isThinkFree = ({ annotations }: Trajectory): boolean => annotations["thinkFree"] === true;
        const closed = trajectories.filter(isThinkFree);
        const open = trajectories.filter((trajectory) => !isThinkFree(trajectory));
        const texts = closed.map((trajectory) => trajectory.responseText);
        const share = verificationShare(texts, ctx.config.verificationMarkers);
        return {
          ...(share === undefined ? {} : { "tfpi/verification/share": share }),
          ...(closed.length === 0 ? {} : { "tfpi/length/thinkfree": mean(closed.map(policyLength)) }),
          ...(open.length === 0 ? {} : { "tfpi/length/think": mean(open.map(policyLength)) }),
        };
      },
    },
  },
});
