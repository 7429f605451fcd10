import type { Family } from "../procedural/graded-taskset.js";
import { digitsOf, drawConversion, textOf, type Conversion } from "./conversion.js";
import type { Settings } from "./settings.js";

/** Conversions between the set bases; the difficulty is the number of digits that are given. */
export function conversionFamily({ bases }: Settings): Family<Conversion> {
  return {
    name: "base-conversion",
    draw: (random, digits) => drawConversion(random, digits, bases),
    // A conversion and the way back are one problem.
    keyOf: ({ value, from, to }) => `${value} ${Math.min(from, to)} ${Math.max(from, to)}`,
    taskOf: (conversion) => {
      const { value, from, to } = conversion;
      return {
        prompt: `Write ${digitsOf(value, from)} (base ${from}) in base ${to}.`,
        reference: `${digitsOf(value, to)}_${to}`,
        problem: textOf(conversion),
      };
    },
  };
}
