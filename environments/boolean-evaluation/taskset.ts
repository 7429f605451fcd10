import type { Family } from "../procedural/graded-taskset.js";
import { drawFormula, textOf, valueOf, type Formula } from "./formula.js";
import type { Settings } from "./settings.js";

/** Formulas over the two constants; the difficulty is their depth. */
export function formulaFamily({ connectives }: Settings): Family<Formula> {
  return {
    name: "boolean-evaluation",
    draw: (random, depth) => drawFormula(random, depth, random.uniform() < 0.5, connectives),
    keyOf: textOf,
    taskOf: (formula) => ({
      prompt: `Is this true or false? ${textOf(formula)}`,
      reference: String(valueOf(formula)),
      problem: textOf(formula),
    }),
  };
}
