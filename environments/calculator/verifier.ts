import { policyTurns, type Verifier } from "@troupe/core/sdk";
import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";

const answers = boxedVerifier("calculator", "1.0.0", ({ reference }) => {
  const right = wholeOf(reference);
  if (right === undefined) return undefined;
  return (answer) => {
    const value = wholeOf(answer);
    if (value === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    return value === right ? EQUAL : wrong(`wrong-answer: got ${quote(answer)}, want ${reference}`);
  };
});

/**
 * Compares the whole number that the last turn boxes with the reference. How it was come by, and whether the calculator
 * was asked, is all the same.
 *
 * Reasons of a fail of its own: unparsable, wrong-answer.
 */
export const calculatorVerifier: Verifier = {
  name: answers.name,
  version: answers.version,
  verify: (task, trajectory) => answers.verify(task, { ...trajectory, ...policyTurns(trajectory).at(-1) }),
};

function wholeOf(text: string): bigint | undefined {
  const plain = text.replaceAll(/\s/g, "");
  return /^-?\d{1,60}$/.test(plain) ? BigInt(plain) : undefined;
}
