import type { Family } from "../procedural/graded-taskset.js";
import { drawProblem, textOf, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

/** Hidden numbers; a range of numbers is held out whole, as the prompt does not tell which of them is meant. */
export function guessFamily({ maxStart }: Settings): Family<Problem> {
  return {
    name: "guess-number",
    draw: (random, difficulty) => drawProblem(random, difficulty, maxStart),
    keyOf: ({ low, high }) => `${low}..${high}`,
    taskOf: (problem) => ({
      prompt: `Find my number from ${problem.low} to ${problem.high} in ${problem.guesses} guesses. Box each; I say higher or lower.`,
      reference: String(problem.secret),
      problem: textOf(problem),
    }),
  };
}
