import { exactValue } from "./exact-value.js";
import { someNode, substituted, symbolsOf, type Expression } from "./expression.js";
import { numericPoint, numericValue } from "./numeric-value.js";
import { isReal, isZero, minus, type Complex } from "./precise-complex.js";
import { isNegative, magnitude, negateReal, realOfRational, subtractReals } from "./precise-real.js";
import { bitLength, isEqual, rational, reduce } from "./rational.js";
import { residuePoint, residueValue } from "./residue-value.js";
import { expandSeries, hasSeries } from "./series.js";
import type { WorkBudget } from "./work-budget.js";

/** Equal, different, or beyond what can be evaluated. */
export type Equality = "equal" | "different" | "undecided";

/**
 * Whether two expressions have the same value for every value of their variables.
 *
 * Three steps, the first that can decide does: exact fractions; residues at random points modulo two primes, where both
 * are rational functions; 256-bit complex values with error bounds at fixed random points. No step rounds, so 0.333 is
 * not 1/3, and e^{π√163} is not the integer that it comes within 10^-12 of.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function compareScalars(gold: Expression, answer: Expression, budget: WorkBudget): Equality {
  return decideScalars(gold, answer, budget).equality;
}

/** What `compareScalars` finds, and the step that found it. */
export function decideScalars(
  gold: Expression,
  answer: Expression,
  budget: WorkBudget,
): { readonly equality: Equality; readonly by: string } {
  const exactGold = exactValue(gold, budget);
  const exactAnswer = exactValue(answer, budget);
  if (exactGold !== undefined && exactAnswer !== undefined)
    return { equality: isEqual(exactGold, exactAnswer) ? "equal" : "different", by: "exact fractions" };
  if (hasSeries(gold) || hasSeries(answer)) {
    const byIntegers = compareAtIntegers(gold, answer, budget);
    if (byIntegers !== undefined) return { equality: byIntegers, by: "exact values at whole numbers" };
  }
  const byResidues = compareResidues(gold, answer, budget);
  if (byResidues !== "undecided") return { equality: byResidues, by: "residues modulo two primes" };
  const isOpen = (side: Expression) =>
    someNode(side, (node) => node.kind === "series" && expandSeries(node, budget, exactValue) === undefined);
  if (isOpen(gold) || isOpen(answer)) return { equality: "undecided", by: "nothing here: it takes symbolic algebra" };
  const byNumbers = compareNumbers(gold, answer, "10", budget);
  if (byNumbers === "equal" || (!hasBareLogarithm(gold) && !hasBareLogarithm(answer)))
    return { equality: byNumbers, by: "values of 256 bits" };
  return { equality: compareNumbers(gold, answer, "e", budget), by: "values of 256 bits, logarithms natural" };
}

/** A logarithm without a base is to base 10 in some books and natural in others. */
function hasBareLogarithm(expression: Expression): boolean {
  return someNode(expression, (node) => node.kind === "call" && node.name === "log" && node.inputs.length === 1);
}

/** Whole numbers at which two sums are compared. A formula of few terms that is right at all of them is right. */
const WHOLE_POINTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 18];

/**
 * Sums and products up to a variable, where it is a whole number. Variables elsewhere take fractions. Undefined where
 * no value can be worked out, as in integrals and limits.
 */
function compareAtIntegers(gold: Expression, answer: Expression, budget: WorkBudget): Equality | undefined {
  const bounds = new Set<string>();
  for (const side of [gold, answer]) {
    someNode(side, (node) => {
      if (node.kind === "series") for (const end of [node.from, node.to]) if (end) symbolsOf(end, bounds);
      return false;
    });
  }
  const names = [...symbolsOf(gold, symbolsOf(answer))].sort();
  if (bounds.size === 0) return undefined;
  for (const [index, whole] of WHOLE_POINTS.entries()) {
    const at = (side: Expression) =>
      names.reduce((rest, name, position) => {
        const value = bounds.has(name)
          ? rational(BigInt(whole + position))
          : rational(BigInt(2 * index + 3 + position), 7n);
        return substituted(rest, name, { kind: "number", value });
      }, side);
    const [g, a] = [exactValue(at(gold), budget), exactValue(at(answer), budget)];
    if (g === undefined || a === undefined) return undefined;
    if (!isEqual(g, a)) return "different";
  }
  return "equal";
}

function compareResidues(gold: Expression, answer: Expression, budget: WorkBudget): Equality {
  let agreements = 0;
  for (let index = 0; index < 4; index++) {
    const point = residuePoint(index);
    const goldResidue = residueValue(gold, point, budget);
    const answerResidue = goldResidue === undefined ? undefined : residueValue(answer, point, budget);
    if (answerResidue === undefined) continue;
    if (goldResidue !== answerResidue) return "different";
    if (++agreements === 2) return "equal";
  }
  return "undecided";
}

function compareNumbers(gold: Expression, answer: Expression, logarithmBase: "10" | "e", budget: WorkBudget): Equality {
  const isRealOnly = [gold, answer].some((side) =>
    someNode(side, (node) => node.kind === "call" && ["abs", "floor", "ceil"].includes(node.name)),
  );
  const pointCount = symbolsOf(gold, symbolsOf(answer)).size === 0 ? 1 : 4;
  let agreements = 0;
  for (let index = 0; index < pointCount; index++) {
    const point = numericPoint(index, isRealOnly, logarithmBase);
    const goldValue = numericValue(gold, point, budget);
    const answerValue = numericValue(answer, point, budget);
    if (goldValue === undefined && answerValue === undefined) continue;
    if (goldValue === undefined || answerValue === undefined) return "different";
    const equality = compareComplex(goldValue, answerValue);
    if (equality === "different") return equality;
    // What cancels to nothing at one point, as sin 64x does far from the real line, may speak at the others.
    if (equality === "equal") agreements++;
  }
  return agreements * 2 >= pointCount ? "equal" : "undecided";
}

/**
 * Values agree when their difference is lost in its own error, and that error is far below the values, or small where
 * both are 0 as far as can be seen: √(sin π) is 0 to 2^-126.
 */
function compareComplex(a: Complex, b: Complex): Equality {
  const difference = minus(a, b);
  if (!isZero(difference)) return "different";
  const scale = Math.max(magnitude(a.re), magnitude(a.im), magnitude(b.re), magnitude(b.im));
  const error = Math.max(difference.re.error, difference.im.error);
  return error <= Math.max(scale - 64, -60) ? "equal" : "undecided";
}

/**
 * Whether a decimal is the correct rounding, at its own last place, of a number that no decimal can state exactly.
 * It takes at least six decimals and six significant digits: 0.333333 stands for 1/3, and 0.333 does not.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function isRoundingOf(decimal: Expression, value: Expression, budget: WorkBudget): boolean {
  if (decimal.kind !== "number" || decimal.decimals === undefined || decimal.decimals < 6 || decimal.decimals > 60)
    return false;
  const digits = decimal.value.numerator < 0n ? -decimal.value.numerator : decimal.value.numerator;
  if (digits < 100_000n) return false;
  const exact = exactValue(value, budget);
  if (exact !== undefined && isTerminating(reduce(exact, budget).denominator)) return false;
  if (symbolsOf(value).size > 0) return false;
  const number = numericValue(value, numericPoint(0, true, "10"), budget);
  if (number === undefined || !isReal(number)) return false;
  const difference = subtractReals(number.re, realOfRational(decimal.value));
  const size = isNegative(difference) ? negateReal(difference) : difference;
  const halfUnit = realOfRational(rational(1n, 2n * 10n ** BigInt(decimal.decimals)));
  return isNegative(subtractReals(size, halfUnit));
}

/** Whether 1 / denominator has finitely many decimals. */
function isTerminating(denominator: bigint): boolean {
  let rest = denominator;
  if (bitLength(rest) > 4096) return false;
  while (rest % 2n === 0n) rest /= 2n;
  while (rest % 5n === 0n) rest /= 5n;
  return rest === 1n;
}
