import type { Split, Taskset } from "@troupe/core/sdk";
import { drawProblem, textOf, type Problem } from "../arithmetic/problem.js";
import type { Settings } from "../arithmetic/settings.js";
import { gradesOf } from "../arithmetic/taskset.js";
import { gradedTaskset } from "../procedural/graded-taskset.js";

/**
 * Programs "x+4-2+5" of the wanted number of operations on their constants; the reference is the program that was given,
 * with its modulus: what the answer has to agree with on every test.
 *
 * @throws PROBLEMS_USED_UP when a number of operations has no program in the split
 */
export function programTaskset(settings: Settings, split: Split, seed: number): Taskset {
  const { operations, modulus } = settings;
  return gradedTaskset<Problem>(
    {
      name: "programs",
      draw: (random, steps) => drawProblem(random, steps, operations, modulus),
      keyOf: textOf,
      taskOf: (problem) => ({
        prompt: `x+${textOf(problem)} mod ${modulus}`,
        reference: `x+${textOf(problem)} mod ${modulus}`,
        problem: textOf(problem),
      }),
    },
    gradesOf(settings, split),
    split,
    seed,
  );
}
