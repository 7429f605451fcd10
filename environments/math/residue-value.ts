import { deriveKey, Random } from "@troupe/core/sdk";
import { exactValue } from "./exact-value.js";
import { keyOf, symbolsOf, type Expression } from "./expression.js";
import { integerOf } from "./rational.js";
import { expandSeries } from "./series.js";
import { WorkBudget } from "./work-budget.js";

/** Primes with a square root of −1, so that i has a residue. Two of them: nobody hits both by chance. */
export const PRIMES = [2n ** 61n - 31n, 2n ** 61n - 259n] as const;

const FIELDS = [
  { prime: PRIMES[0], imaginaryUnit: imaginaryUnitOf(PRIMES[0]) },
  { prime: PRIMES[1], imaginaryUnit: imaginaryUnitOf(PRIMES[1]) },
] as const;

/** One place at which rational functions are compared: a prime and a residue for every variable. */
export interface ResiduePoint {
  readonly prime: bigint;
  readonly imaginaryUnit: bigint;
  readonly residueOf: (variable: string) => bigint;
}

/** The point of this index, the same on every run; indices alternate between the primes. */
export function residuePoint(index: number): ResiduePoint {
  const { prime, imaginaryUnit } = FIELDS[index % 2 === 0 ? 0 : 1];
  const residues = new Map<string, bigint>();
  return {
    prime,
    imaginaryUnit,
    residueOf: (variable) => {
      let residue = residues.get(variable);
      if (residue === undefined) {
        const random = new Random(deriveKey(index, "residue", variable));
        residue = (BigInt(random.integer(1, 2 ** 30)) << 30n) + BigInt(random.integer(1, 2 ** 30));
        residues.set(variable, residue);
      }
      return residue;
    },
  };
}

/**
 * The residue of a rational function at a point; undefined where the expression is none, or a denominator vanishes.
 *
 * Two rational functions with fractions for coefficients are equal exactly when their residues agree at random points,
 * up to a chance of about degree / 2^61 for each point (Schwartz and Zippel). π and e count as variables: no polynomial
 * with rational coefficients is known to relate them.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function residueValue(node: Expression, point: ResiduePoint, budget: WorkBudget): bigint | undefined {
  const { prime } = point;
  budget.spend(4);
  const of = (child: Expression) => residueValue(child, point, budget);
  switch (node.kind) {
    case "number":
      return quotient(node.value.numerator, node.value.denominator, prime, budget);
    case "symbol":
      return point.residueOf(node.name);
    case "constant":
      return node.name === "i"
        ? point.imaginaryUnit
        : node.name === "infinity"
          ? undefined
          : point.residueOf(`constant ${node.name}`);
    case "sum":
      return fold(node.terms, of, (a, b) => (a + b) % prime);
    case "product":
      return fold(node.factors, of, (a, b) => (a * b) % prime);
    case "quotient": {
      const over = of(node.over);
      const under = over === undefined ? undefined : of(node.under);
      return over === undefined || under === undefined ? undefined : quotient(over, under, prime, budget);
    }
    case "power": {
      const exponent = exactValue(node.exponent, budget);
      const whole = exponent && integerOf(exponent);
      const base = whole === undefined ? undefined : of(node.base);
      if (base === undefined || whole === undefined) return undefined;
      const raised = powerModulo(base, (whole < 0n ? -whole : whole) % (prime - 1n), prime, budget);
      return whole < 0n ? quotient(1n, raised, prime, budget) : raised;
    }
    case "quantity": {
      const value = node.unit === "°" ? undefined : of(node.value);
      return value !== undefined && node.unit === "%" ? quotient(value, 100n, prime, budget) : value;
    }
    case "series": {
      const expanded = expandSeries(node, budget, exactValue);
      return expanded && of(expanded);
    }
    case "root":
    case "call": {
      const exact = exactValue(node, budget);
      if (exact !== undefined) return quotient(exact.numerator, exact.denominator, prime, budget);
      // No value is known for n!, so it is a variable of its own: 2 n! is n! · 2, and (n + 1)! is taken for another.
      const isOpaque = node.kind === "call" && (node.name === "factorial" || node.name === "binomial");
      return isOpaque && symbolsOf(node).size > 0 ? point.residueOf(keyOf(node)) : undefined;
    }
    default:
      return undefined;
  }
}

function fold(
  nodes: readonly Expression[],
  of: (node: Expression) => bigint | undefined,
  combine: (a: bigint, b: bigint) => bigint,
): bigint | undefined {
  let result: bigint | undefined;
  for (const node of nodes) {
    const value = of(node);
    if (value === undefined) return undefined;
    result = result === undefined ? value : combine(result, value);
  }
  return result;
}

function quotient(over: bigint, under: bigint, prime: bigint, budget: WorkBudget): bigint | undefined {
  const denominator = modulo(under, prime);
  if (denominator === 0n) return undefined;
  const numerator = modulo(over, prime);
  return denominator === 1n ? numerator : (numerator * powerModulo(denominator, prime - 2n, prime, budget)) % prime;
}

function modulo(value: bigint, prime: bigint): bigint {
  const remainder = value % prime;
  return remainder < 0n ? remainder + prime : remainder;
}

function powerModulo(base: bigint, exponent: bigint, prime: bigint, budget: WorkBudget): bigint {
  let result = 1n;
  let square = base;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % prime;
    square = (square * square) % prime;
    budget.spend(3);
  }
  return result;
}

/** A non-residue to the power (p − 1) / 4 squares to −1, and every second number is a non-residue. */
function imaginaryUnitOf(prime: bigint): bigint {
  for (let candidate = 2n; ; candidate++) {
    const unit = powerModulo(candidate, (prime - 1n) / 4n, prime, new WorkBudget());
    if ((unit * unit) % prime === prime - 1n) return unit;
  }
}
