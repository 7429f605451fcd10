import type { Expression } from "./expression.js";
import {
  add,
  divide,
  exactRoot,
  integerOf,
  multiply,
  power,
  rational,
  bitsOf,
  compareRationals,
  type Rational,
} from "./rational.js";
import { expandSeries } from "./series.js";
import { SIZE_LIMITS, type WorkBudget } from "./work-budget.js";

/**
 * The exact fraction that an expression is worth; undefined where it has variables, is irrational or undefined, or
 * needs integers of more than `SIZE_LIMITS.bits` bits.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function exactValue(node: Expression, budget: WorkBudget): Rational | undefined {
  const value = exactNode(node, budget);
  if (value === undefined) return undefined;
  const bits = bitsOf(value);
  budget.spend(1 + (bits / 512) ** 2);
  return bits > 2 * SIZE_LIMITS.bits ? undefined : value;
}

function exactNode(node: Expression, budget: WorkBudget): Rational | undefined {
  switch (node.kind) {
    case "number":
      return node.value;
    case "sum":
      return fold(node.terms, add, budget);
    case "product":
      return fold(node.factors, multiply, budget);
    case "quotient": {
      const over = exactValue(node.over, budget);
      const under = over && exactValue(node.under, budget);
      return over && under && divide(over, under);
    }
    case "power": {
      const base = exactValue(node.base, budget);
      const exponent = base && exactValue(node.exponent, budget);
      return base && exponent && exactPower(base, exponent, budget);
    }
    case "root": {
      const radicand = exactValue(node.radicand, budget);
      const degree = radicand && exactValue(node.degree, budget);
      const index = degree && integerOf(degree);
      return radicand && index !== undefined && index > 0n && index < 1000n
        ? exactRoot(radicand, Number(index), budget)
        : undefined;
    }
    case "quantity": {
      const value = node.unit === "°" ? undefined : exactValue(node.value, budget);
      return value && (node.unit === "%" ? multiply(value, rational(1n, 100n)) : value);
    }
    case "series": {
      const expanded = expandSeries(node, budget, exactValue);
      return expanded && exactNode(expanded, budget);
    }
    case "call":
      return exactCall(node.name, node.inputs, budget);
    default:
      return undefined;
  }
}

function fold(
  nodes: readonly Expression[],
  combine: (a: Rational, b: Rational) => Rational,
  budget: WorkBudget,
): Rational | undefined {
  let result: Rational | undefined;
  for (const node of nodes) {
    const value = exactValue(node, budget);
    if (value === undefined) return undefined;
    result = result === undefined ? value : combine(result, value);
    const bits = bitsOf(result);
    budget.spend(1 + (bits / 512) ** 2);
    if (bits > 2 * SIZE_LIMITS.bits) return undefined;
  }
  return result;
}

/** Integer powers, and roots of perfect powers: 4^{3/2} = 8. The real root is meant where the base is negative. */
function exactPower(base: Rational, exponent: Rational, budget: WorkBudget): Rational | undefined {
  const whole = integerOf(exponent);
  if (whole !== undefined) return power(base, whole);
  const degree = exponent.denominator;
  if (degree > 64n || base.numerator === 0n) return base.numerator === 0n && exponent.numerator > 0n ? base : undefined;
  const root = exactRoot(base, Number(degree), budget);
  return root && power(root, exponent.numerator);
}

function exactCall(name: string, inputs: readonly Expression[], budget: WorkBudget): Rational | undefined {
  const [first, second] = inputs;
  const value = first && exactValue(first, budget);
  if (value === undefined) return undefined;
  switch (name) {
    case "abs":
      return compareRationals(value, rational(0n)) < 0 ? multiply(value, rational(-1n)) : value;
    case "floor":
      return rational(floorOf(value));
    case "ceil":
      return rational(-floorOf(multiply(value, rational(-1n))));
    case "factorial":
      return productUpTo(1n, integerOf(value), budget);
    case "binomial": {
      const below = second && exactValue(second, budget);
      return below && binomial(integerOf(value), integerOf(below), budget);
    }
    default:
      return undefined;
  }
}

function floorOf(value: Rational): bigint {
  const quotient = value.numerator / value.denominator;
  return value.numerator < 0n && quotient * value.denominator !== value.numerator ? quotient - 1n : quotient;
}

/** from · (from + 1) · … · to, for to up to a few thousand. */
function productUpTo(from: bigint, to: bigint | undefined, budget: WorkBudget): Rational | undefined {
  if (to === undefined || to < 0n || to > 3000n) return undefined;
  let product = 1n;
  for (let factor = from; factor <= to; factor++) {
    product *= factor;
    budget.spend(1 + Number(to) / 256);
  }
  return rational(product);
}

function binomial(n: bigint | undefined, k: bigint | undefined, budget: WorkBudget): Rational | undefined {
  if (n === undefined || k === undefined || n < 0n || k < 0n || n > 3000n) return undefined;
  if (k > n) return rational(0n);
  const over = productUpTo(n - k + 1n, n, budget);
  const under = productUpTo(1n, k, budget);
  return over && under && rational(over.numerator / under.numerator);
}
