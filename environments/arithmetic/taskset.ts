import type { Split, Taskset } from "@troupe/core/sdk";
import { gradedTaskset, type Family } from "../procedural/graded-taskset.js";
import type { Grades } from "../procedural/graded-settings.js";
import { drawProblem, textOf, valueOf, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

/**
 * The tasks of a split; the difficulty is the number of operations.
 *
 * @throws PROBLEMS_USED_UP when a number of operations has no problem in the split
 */
export function arithmeticTaskset(settings: Settings, split: Split, seed: number): Taskset {
  return gradedTaskset(arithmeticFamily(settings), gradesOf(settings, split), split, seed);
}

/** How tasks of a split are drawn: their difficulty is the number of operations. */
export function gradesOf(settings: Settings, split: Split): Grades {
  const { minSteps: minDifficulty, maxSteps: maxDifficulty, weights, evalWeights = weights } = settings;
  return { ...settings, minDifficulty, maxDifficulty, weights: split === "eval" ? evalWeights : weights };
}

function arithmeticFamily({ operations, modulus }: Settings): Family<Problem> {
  return {
    name: "arithmetic",
    draw: (random, steps) => drawProblem(random, steps, operations, modulus),
    keyOf: textOf,
    taskOf: (problem) => ({
      prompt: `${textOf(problem)} mod ${modulus}`,
      reference: String(valueOf(problem, modulus)),
      problem: textOf(problem),
    }),
  };
}
