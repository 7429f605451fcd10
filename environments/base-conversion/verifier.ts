import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";
import { valueOf } from "./conversion.js";

/**
 * Checks digits by their value in the reference's base, "1101_2". Letters may have either case, zeros may lead, and the
 * base may stand below: `1101`, `1101_2`, `1101_{2}`.
 *
 * Reasons of a fail of its own: unparsable, wrong-base, wrong-digit, wrong-answer.
 */
export const conversionVerifier = boxedVerifier("base-conversion", "1.0.0", ({ reference }) => {
  const { digits = "", base } = parse(reference) ?? {};
  const want = base === undefined ? undefined : valueOf(digits, base);
  if (base === undefined || want === undefined) return undefined;
  return (answer) => {
    const given = parse(answer);
    if (given === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    if (given.base !== undefined && given.base !== base) return wrong(`wrong-base: got ${given.base}, want ${base}`);
    const value = valueOf(given.digits, base);
    if (value === undefined) return wrong(`wrong-digit: "${quote(given.digits)}" is no number of base ${base}`);
    return value === want ? EQUAL : wrong(`wrong-answer: got ${quote(given.digits)}, want ${digits}`);
  };
});

function parse(text: string): { readonly digits: string; readonly base: number | undefined } | undefined {
  const match = /^\s*([0-9A-Za-z]+)\s*(?:_\s*(?:(\d{1,2})|\{\s*(\d{1,2})\s*\}))?\s*$/.exec(text);
  if (match === null) return undefined;
  const [, digits = "", plain, braced] = match;
  const base = plain ?? braced;
  return { digits, base: base === undefined ? undefined : Number(base) };
}
