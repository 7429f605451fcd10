import { isEqual } from "../math/rational.js";
import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";
import { numbersOf, parseExpression, rationalText, valueOf } from "./expression.js";

/**
 * Evaluates the boxed calculation exactly, in fractions, and compares its numbers, each counted, and its value with those
 * of the reference, which is a solution. "= 56" may stand behind it, and is passed over where it repeats the target.
 *
 * Reasons of a fail of its own: unparsable, wrong-numbers, division-by-zero, wrong-value.
 */
export const countdownVerifier = boxedVerifier("countdown", "1.0.0", ({ reference }) => {
  const solution = parseExpression(reference);
  const target = solution && valueOf(solution);
  if (solution === undefined || target === undefined) return undefined;
  const numbers = sorted(numbersOf(solution));
  return (answer) => {
    const expression = parseExpression(withoutTarget(answer, rationalText(target)));
    if (expression === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    const used = sorted(numbersOf(expression));
    if (used !== numbers) return wrong(`wrong-numbers: used ${quote(used)}, given ${quote(numbers)}`);
    const value = valueOf(expression);
    if (value === undefined) return wrong(`division-by-zero: in ${quote(answer)}`);
    if (isEqual(value, target)) return EQUAL;
    return wrong(`wrong-value: got ${quote(rationalText(value))}, want ${quote(rationalText(target))}`);
  };
});

function sorted(numbers: readonly string[]): string {
  return numbers.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1)).join(" ");
}

function withoutTarget(answer: string, target: string): string {
  const equals = answer.lastIndexOf("=");
  return equals >= 0 && answer.slice(equals + 1).trim() === target ? answer.slice(0, equals) : answer;
}
