import type { Random, Teacher } from "@troupe/core/sdk";
import { problemTextOf, workedTeacher, type Working } from "../procedural/worked-teacher.js";
import { NAMES, parseChain, resultOf, sumOf, type Chain } from "./chain.js";
import type { Settings } from "./settings.js";

/** Takes the sums one by one, each first as it is and then reduced. */
export function chainTeacher({ teacher }: Settings): Teacher {
  return workedTeacher("modular-sums", teacher.errorRate, (task, isRight, random) => {
    const chain = parseChain(problemTextOf(task) ?? "");
    if (chain === undefined) return undefined;
    if (isRight) return work(chain, -1, 0);
    const slip = random.integer(0, chain.length);
    const working = work(chain, slip, amountOf(chain, slip, random));
    // A smaller modulus may swallow a slip; one in the last sum stays.
    return working.answer === String(resultOf(chain))
      ? work(chain, chain.length - 1, amountOf(chain, chain.length - 1, random))
      : working;
  });
}

/** By how much a slip goes wrong: never by a multiple of the modulus. */
function amountOf(chain: Chain, slip: number, random: Random): number {
  return random.integer(1, chain[slip]?.modulus ?? 2);
}

/** @param slip index of the sum whose result is off by `amount`; −1 for none */
function work(chain: Chain, slip: number, amount: number): Working {
  let before = 0;
  const lines = chain.map((link, index) => {
    const sum = sumOf(link, before);
    const summands = [...(index === 0 ? [] : [before]), ...link.summands].join("+");
    before = (sum + (index === slip ? amount : 0)) % link.modulus;
    return `${NAMES.charAt(index)}=${summands}=${sum}=${before} mod ${link.modulus}`;
  });
  return { lines, answer: String(before) };
}
