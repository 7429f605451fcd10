import type { Family } from "../procedural/graded-taskset.js";
import { textOf } from "./expression.js";
import { drawProblem, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

/** Targets that can be reached; the difficulty is the number of operations. */
export function countdownFamily({ maxNumber }: Settings): Family<Problem> {
  return {
    name: "countdown",
    draw: (random, operations) => drawProblem(random, operations, maxNumber),
    // The order of the numbers makes no other problem.
    keyOf: ({ numbers, target }) =>
      textOfNumbers(
        numbers.toSorted((a, b) => a - b),
        target,
      ),
    taskOf: ({ numbers, target, solution }) => ({
      prompt: `Make ${target} of ${numbers.join(", ")}. Use each number exactly once, with + - * / and parentheses.`,
      reference: textOf(solution),
      problem: textOfNumbers(numbers, target),
    }),
  };
}

function textOfNumbers(numbers: readonly number[], target: number): string {
  return `${numbers.join(" ")} = ${target}`;
}
