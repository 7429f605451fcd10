import { z } from "@troupe/core/sdk";
import { optimizerField, reportStages, stageFields } from "../stage-schedule.js";

const range = z.strictObject({
  from: z.number().gt(0).describe("At the stage's first step"),
  to: z.number().gt(0).describe("At its last"),
});

const sizes = z.strictObject({
  from: z.int().min(2).describe("In the stage's first half"),
  to: z.int().min(2).describe("In its second"),
});

const measure = z.strictObject({
  attempts: z.int().min(2).default(16).describe("Answers to each task"),
  promptsPerStep: z.int().min(1).optional().describe("Tasks that are tried in one step; absent keeps the stage's"),
});

const stage = z.strictObject({
  ...stageFields,
  groupSize: z
    .union([stageFields.groupSize.unwrap(), sizes])
    .optional()
    .describe("Trajectories per task, or two numbers for the stage's two halves; absent keeps the run's"),
  domain: z.string().min(1).optional().describe("Tasks of this domain alone: a stage never mixes two"),
  difficulty: z
    .strictObject({ min: z.number().optional(), max: z.number().optional() })
    .optional()
    .describe("Tasks whose known difficulty lies in this range"),
  measure: measure
    .optional()
    .describe("Tries every task of the stage with the policy that it begins with, before anything is learned"),
  maxSolved: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "Drops tasks that the policy solved more often than this when the stage measured them, or else when they were last tried; 0.375 is 6 of 16",
    ),
  dropMastered: z
    .boolean()
    .default(false)
    .describe("From the stage's second epoch on, drops tasks that every answer of the epoch before solved"),
  temperature: z
    .union([z.number().gt(0), range])
    .optional()
    .describe("Sampling temperature, or a ramp over the stage"),
  learningRate: z.number().gt(0).optional().describe("Step size of AdamW; absent keeps the run's"),
  filterOverlong: z
    .boolean()
    .optional()
    .describe(
      "Masks the loss of answers that are cut: useful at short budgets, harmful at long ones; absent keeps the run's loss.maskTruncated",
    ),
});

/** Settings of the curriculum. */
export const settingsSchema = z
  .strictObject({
    stages: z.array(stage).min(1).describe("Stages in order, the last until the run ends"),
    strictlyOnPolicy: z
      .boolean()
      .default(true)
      .describe("One update for every batch, and a refusal where more are asked for; false allows more"),
    normaliser: z
      .enum(["batch", "group"])
      .default("batch")
      .describe("Token mean over the update, or within each group and then over groups"),
    entropyCoefficient: z.number().default(0).describe("Weight of the entropy bonus; 0 is off"),
    overlongReward: z
      .enum(["verdict", "mean"])
      .default("verdict")
      .describe(
        "What an answer whose loss is masked counts in its group: its own verdict, mostly 0, or the mean of the others, which takes it out of the mean",
      ),
    optimizer: optimizerField,
  })
  .check(reportStages)
  .check((payload) => {
    const { stages, strictlyOnPolicy } = payload.value;
    const many = stages.filter(({ updatesPerBatch = 1 }) => strictlyOnPolicy && updatesPerBatch > 1);
    const asks = many.map(
      ({ name, updatesPerBatch }) =>
        `stage "${name}" asks for ${updatesPerBatch} updates per batch: strictly on-policy is 1; strictlyOnPolicy: false allows more`,
    );
    const { overlongReward } = payload.value;
    const open = stages.filter(({ filterOverlong }) => overlongReward === "mean" && filterOverlong === undefined);
    const wants = open.map(
      ({ name }) => `stage "${name}" leaves filterOverlong to the run: with overlongReward "mean" it is true or false`,
    );
    reportStages(payload, [...asks, ...wants]);
  });

/** Checked settings. */
export type Settings = z.output<typeof settingsSchema>;

/** Checked settings of one stage. */
export type Stage = Settings["stages"][number];
