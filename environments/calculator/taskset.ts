import type { Family } from "../procedural/graded-taskset.js";
import { drawProblem, textOf, valueOf, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

/** Chains of operations; the difficulty is their number. */
export function calculatorFamily({ maxOperand }: Settings): Family<Problem> {
  return {
    name: "calculator",
    draw: (random, steps) => drawProblem(random, steps, maxOperand),
    keyOf: textOf,
    taskOf: (problem) => ({
      prompt: `${textOf(problem)} from left to right. <calc>2+3</calc> does one operation; box the result.`,
      reference: String(valueOf(problem)),
      problem: textOf(problem),
    }),
  };
}
