import { z } from "@troupe/core/sdk";

const share = z.number().min(0).max(1);

/** The settings that every procedural environment shares, as fields of its schema. */
export function gradedFields(highest: number, usual: number, difficulty: string) {
  return {
    minDifficulty: z.int().min(1).default(1).describe(`Difficulty of the easiest tasks: ${difficulty}`),
    maxDifficulty: z.int().min(1).max(highest).default(usual).describe("Difficulty of the hardest tasks"),
    weights: z
      .array(z.number().min(0))
      .optional()
      .describe("Weight of each difficulty, from minDifficulty up; absent makes them equally likely"),
    trainTasks: z.int().min(1).optional().describe("Size of the train split; absent makes it endless"),
    evalTasks: z
      .int()
      .min(1)
      .default(200)
      .describe("Held-out tasks at most; fewer where a difficulty has fewer problems"),
    heldOut: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.2)
      .describe("Share of all problems that is held out, decided by a hash of the problem"),
    teacher: z
      .strictObject({ errorRate: share.default(0.1).describe("Probability that a demonstration ends wrong") })
      .prefault({})
      .describe("How demonstrations are written"),
  };
}

/** What `gradedFields` parses to, as far as tasks are drawn by it. */
export interface Grades {
  readonly minDifficulty: number;
  readonly maxDifficulty: number;
  readonly weights?: readonly number[] | undefined;
  readonly trainTasks?: number | undefined;
  readonly evalTasks: number;
  readonly heldOut: number;
}

/** Refinement of a schema with `gradedFields`: the hardest is not easier than the easiest, and the weights fit. */
export function checkGrades({ minDifficulty, maxDifficulty, weights }: Grades, context: z.RefinementCtx): void {
  const refuse = (field: string, message: string): void => context.addIssue({ code: "custom", path: [field], message });
  if (minDifficulty > maxDifficulty) refuse("maxDifficulty", "must be at least minDifficulty");
  else if (weights !== undefined && weights.length !== maxDifficulty - minDifficulty + 1)
    refuse("weights", "must have one weight for each difficulty from minDifficulty to maxDifficulty");
  if (weights !== undefined && !weights.some((weight) => weight > 0)) refuse("weights", "must have a weight above 0");
}
