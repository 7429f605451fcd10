import { z, type StepPlan } from "@troupe/core/sdk";

/** Settings of one stage that every staged method has; a method adds its own beside them. */
export const stageFields = {
  name: z.string().min(1).describe("Shown on curves and in reports"),
  maxTokens: z.int().min(1).describe("Response tokens per trajectory at most; the prompt does not count"),
  share: z.number().gt(0).max(1).optional().describe("Share of the run that the stage takes, in (0, 1]"),
  steps: z.int().min(1).optional().describe("Steps that the stage takes, in place of a share"),
  promptsPerStep: z.int().min(1).optional().describe("Groups that feed one step; absent keeps the run's"),
  groupSize: z.int().min(2).optional().describe("Trajectories per task; absent keeps the run's"),
  updatesPerBatch: z.int().min(1).optional().describe("Optimizer updates per cohort; absent keeps the run's"),
};

/** What becomes of the optimizer's moments where a stage begins; the weights always carry over. */
export const optimizerField = z
  .enum(["fresh", "carried"])
  .default("fresh")
  .describe("Whether a stage begins with cleared optimizer moments, or with those of the stage before");

/** One stage of a run. The last stage lasts until the run ends. */
export type Stage = z.output<z.ZodObject<typeof stageFields>>;

type StageLength = Pick<Stage, "name" | "share" | "steps">;

/** A moment of a run: its step, and how far it is, in [0, 1]. */
export interface Moment {
  readonly step: number;
  readonly progress: number;
}

/** Where a run is in its stages; plain data, changed in place. */
export interface StagePosition {
  index: number;
  /** When the stage began; null before the first step. */
  start: Moment | null;
}

/** Where every run begins. */
export const firstStage = (): StagePosition => ({ index: 0, start: null });

/**
 * Problems of a list of stages, for a schema's check: a stage with two lengths, a stage before the last without any,
 * shares that sum to more than the run.
 */
export function problemsOfStages(stages: readonly StageLength[], endsByTrigger: boolean): readonly string[] {
  const shares = stages.reduce((sum, stage) => sum + (stage.share ?? 0), 0);
  return [
    ...stages
      .filter((stage) => stage.share !== undefined && stage.steps !== undefined)
      .map((stage) => `stage "${stage.name}" has both share and steps: keep one`),
    ...(endsByTrigger ? [] : stages.slice(0, -1))
      .filter((stage) => stage.share === undefined && stage.steps === undefined)
      .map((stage) => `stage "${stage.name}" needs share or steps, as only the last stage lasts until the run ends`),
    ...(shares > 1 + TOLERANCE ? [`the shares of all stages sum to ${shares}: at most 1 is there to share`] : []),
  ];
}

/** Puts the problems of a method's stages before the user: a schema's check. */
export function reportStages(
  { value, issues }: z.core.ParsePayload<{ readonly stages: readonly StageLength[] }>,
  problems = problemsOfStages(value.stages, false),
): void {
  for (const message of problems) issues.push({ code: "custom", message, path: ["stages"], input: value.stages });
}

/**
 * Moves on to the stage that the plan has for this moment. A stage begins where the one before was planned to end, so
 * steps of uneven size do not push later stages back.
 *
 * @returns whether a stage begins where another ended, of this method or, in the middle of a run, of the one before it
 */
export function followStages(position: StagePosition, stages: readonly StageLength[], now: Moment): boolean {
  const before = position.index;
  const takesOver = position.start === null && now.step > 1;
  position.start ??= { step: now.step, progress: now.progress };
  while (position.index < stages.length - 1) {
    const { share, steps } = stages[position.index]!;
    const end: Moment = {
      step: steps === undefined ? now.step : position.start.step + steps,
      progress: share === undefined ? now.progress : position.start.progress + share,
    };
    const isOpen = share === undefined && steps === undefined;
    if (isOpen || now.step < end.step || now.progress < end.progress - TOLERANCE) break;
    position.index++;
    position.start = end;
  }
  return takesOver || position.index !== before;
}

/** Ends the present stage now, whatever its planned length. @returns whether there was a next stage */
export function endStage(position: StagePosition, stages: readonly StageLength[], now: Moment): boolean {
  if (position.index >= stages.length - 1) return false;
  position.index++;
  position.start = { step: now.step, progress: now.progress };
  return true;
}

/** How much of the present stage is done, in [0, 1]; one without a length of its own lasts until the run ends. */
export function shareDone({ start }: StagePosition, { steps, share }: StageLength, now: Moment): number {
  if (start === null) return 0;
  const length = share ?? Math.max(1 - start.progress, Number.EPSILON);
  const done =
    steps === undefined ? (now.progress - start.progress) / length : (now.step - start.step) / Math.max(1, steps - 1);
  return Math.min(1, Math.max(0, done));
}

/** What a stage sets in the step's plan. */
export function planOfStage(stage: Stage): Partial<StepPlan> {
  const { name, maxTokens, promptsPerStep, groupSize, updatesPerBatch } = stage;
  return {
    stage: name,
    maxTokens,
    ...(promptsPerStep === undefined ? {} : { promptsPerStep }),
    ...(groupSize === undefined ? {} : { groupSize }),
    ...(updatesPerBatch === undefined ? {} : { updatesPerBatch }),
  };
}

/** Sums of decimal shares miss their exact value by some 1e-16. */
const TOLERANCE = 1e-9;
