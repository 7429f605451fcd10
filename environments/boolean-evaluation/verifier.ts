import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";

/**
 * Checks "true" or "false", in any case, plain or inside `\text{}`.
 *
 * Reasons of a fail of its own: unparsable, wrong-answer.
 */
export const formulaVerifier = boxedVerifier("boolean-evaluation", "1.0.0", ({ reference }) => {
  const want = parse(reference);
  if (want === undefined) return undefined;
  return (answer) => {
    const given = parse(answer);
    if (given === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    return given === want ? EQUAL : wrong(`wrong-answer: got ${given}, want ${want}`);
  };
});

function parse(text: string): boolean | undefined {
  const word = /^\s*(?:\\(?:text|mathrm|textbf|mathbf)\s*\{\s*(\w+)\s*\}|(\w+))\s*$/.exec(text);
  const value = (word?.[1] ?? word?.[2])?.toLowerCase();
  return value === "true" ? true : value === "false" ? false : undefined;
}
