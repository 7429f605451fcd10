import type { Family } from "../procedural/graded-taskset.js";
import { drawChain, NAMES, resultOf, sumsOf, textOf, type Chain } from "./chain.js";
import type { Settings } from "./settings.js";

/** Chains of sums; the difficulty is their number. */
export function chainFamily(settings: Settings): Family<Chain> {
  return {
    name: "modular-sums",
    draw: (random, length) => drawChain(random, length, settings),
    // The order of its own summands does not make a sum another one.
    keyOf: (chain) => textOf(chain.map((link) => ({ ...link, summands: link.summands.toSorted((a, b) => a - b) }))),
    taskOf: (chain) => {
      const sums = sumsOf(chain).map((sum, index) => `${NAMES.charAt(index)} = ${sum}`);
      return {
        prompt: `Let ${sums.join(", ")}. What is ${NAMES.charAt(chain.length - 1)}?`,
        reference: `${resultOf(chain)} mod ${chain.at(-1)?.modulus}`,
        problem: textOf(chain),
      };
    },
  };
}
