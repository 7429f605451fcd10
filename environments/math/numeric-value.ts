import { deriveKey, Random } from "@troupe/core/sdk";
import { exactValue } from "./exact-value.js";
import type { Expression, FunctionName } from "./expression.js";
import {
  arccosine,
  arcsine,
  arctangent,
  COMPLEX_ONE,
  complex,
  complexPower,
  exp,
  hyperbolic,
  IMAGINARY_UNIT,
  integerPower,
  isReal,
  isZero,
  ln,
  modulus,
  negative,
  over,
  plus,
  sinCos,
  squareRoot,
  times,
  type Complex,
} from "./precise-complex.js";
import { exponential, PI } from "./precise-functions.js";
import {
  isNegative,
  negateReal,
  ONE,
  realOfRational,
  subtractReals,
  isNoise,
  ZERO,
  type Real,
} from "./precise-real.js";
import { integerOf, rational } from "./rational.js";
import { expandSeries } from "./series.js";
import type { WorkBudget } from "./work-budget.js";

/** Where an expression is evaluated, and what a logarithm without a base means there. */
export interface NumericPoint {
  readonly valueOf: (variable: string) => Complex;
  readonly logarithmBase: "10" | "e";
}

/** Positive reals, then complex numbers twice, then reals of either sign; with `isRealOnly`, reals throughout. */
export function numericPoint(index: number, isRealOnly: boolean, logarithmBase: "10" | "e"): NumericPoint {
  const values = new Map<string, Complex>();
  const isComplex = !isRealOnly && (index === 1 || index === 2);
  return {
    logarithmBase,
    valueOf: (variable) => {
      let value = values.get(variable);
      if (value === undefined) {
        const random = new Random(deriveKey(index, "point", variable));
        const draw = (isSigned: boolean): Real => {
          const size = realOfRational(rational(BigInt(random.integer(300, 2600)), 1009n));
          return isSigned && random.integer(0, 2) === 0 ? negateReal(size) : size;
        };
        value = isComplex ? complex(draw(true), draw(true)) : complex(draw(index > 0));
        values.set(variable, value);
      }
      return value;
    },
  };
}

/**
 * The value of an expression at a point to 256 bits, errors included; undefined where it has none there.
 *
 * Roots and powers are the principal ones, except that odd roots of negative reals are real.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function numericValue(node: Expression, point: NumericPoint, budget: WorkBudget): Complex | undefined {
  budget.spend(10);
  const of = (child: Expression) => numericValue(child, point, budget);
  switch (node.kind) {
    case "number":
      return complex(realOfRational(node.value));
    case "symbol":
      return point.valueOf(node.name);
    case "constant":
      if (node.name === "infinity") return undefined;
      return node.name === "pi" ? complex(PI) : node.name === "i" ? IMAGINARY_UNIT : complex(exponential(ONE, budget));
    case "sum":
      return fold(node.terms, of, plus);
    case "product":
      return fold(node.factors, of, times);
    case "quotient": {
      const above = of(node.over);
      const below = above && of(node.under);
      return above && below && over(above, below);
    }
    case "power":
      return power(node.base, node.exponent, of, budget);
    case "root": {
      const degree = exactValue(node.degree, budget);
      const isSquare = degree?.numerator === 2n && degree.denominator === 1n;
      const radicand = isSquare ? of(node.radicand) : undefined;
      if (isSquare) return radicand && squareRoot(radicand, budget);
      return power(
        node.radicand,
        { kind: "quotient", over: { kind: "number", value: rational(1n) }, under: node.degree },
        of,
        budget,
      );
    }
    case "quantity": {
      const value = of(node.value);
      if (value === undefined || (node.unit !== "%" && node.unit !== "°")) return value;
      const scale = over(
        node.unit === "%" ? COMPLEX_ONE : complex(PI),
        complex(realOfRational(rational(node.unit === "%" ? 100n : 180n))),
      );
      return scale && times(value, scale);
    }
    case "series": {
      const expanded = expandSeries(node, budget, exactValue);
      return expanded && of(expanded);
    }
    case "call": {
      const exact = exactValue(node, budget);
      if (exact !== undefined) return complex(realOfRational(exact));
      const [first, second] = node.inputs;
      const input = first && of(first);
      return input && call(node.name, input, second === undefined ? undefined : (of(second) ?? null), point, budget);
    }
    default:
      return undefined;
  }
}

function fold(
  nodes: readonly Expression[],
  of: (node: Expression) => Complex | undefined,
  combine: (a: Complex, b: Complex) => Complex,
): Complex | undefined {
  let result: Complex | undefined;
  for (const node of nodes) {
    const value = of(node);
    if (value === undefined) return undefined;
    result = result === undefined ? value : combine(result, value);
  }
  return result;
}

function power(
  base: Expression,
  exponent: Expression,
  of: (node: Expression) => Complex | undefined,
  budget: WorkBudget,
): Complex | undefined {
  const value = of(base);
  if (value === undefined) return undefined;
  const exact = exactValue(exponent, budget);
  const whole = exact && integerOf(exact);
  if (whole !== undefined && whole < 4096n && whole > -4096n) return integerPower(value, whole, budget);
  const raised = of(exponent);
  if (raised === undefined) return undefined;
  const isOddRoot = exact !== undefined && exact.denominator < 1000n && exact.denominator % 2n === 1n;
  if (isOddRoot && isReal(value) && isNegative(value.re) && !isNoise(value.re)) {
    const size = complexPower(complex(negateReal(value.re)), raised, budget);
    return size && exact.numerator % 2n !== 0n ? negative(size) : size;
  }
  return complexPower(value, raised, budget);
}

/** `second` is undefined where there is no second input, and null where it has no value. */
function call(
  name: FunctionName,
  z: Complex,
  second: Complex | undefined | null,
  point: NumericPoint,
  budget: WorkBudget,
): Complex | undefined {
  switch (name) {
    case "sin":
      return sinCos(z, budget)[0];
    case "cos":
      return sinCos(z, budget)[1];
    case "tan":
      return over(...sinCos(z, budget));
    case "cot": {
      const [sine, cosine] = sinCos(z, budget);
      return over(cosine, sine);
    }
    case "sec":
      return over(COMPLEX_ONE, sinCos(z, budget)[1]);
    case "csc":
      return over(COMPLEX_ONE, sinCos(z, budget)[0]);
    case "arcsin":
      return arcsine(z, budget);
    case "arccos":
      return arccosine(z, budget);
    case "arctan":
      return arctangent(z, budget);
    case "sinh":
      return hyperbolic(z, budget)[0];
    case "cosh":
      return hyperbolic(z, budget)[1];
    case "tanh":
      return over(...hyperbolic(z, budget));
    case "exp":
      return exp(z, budget);
    case "cis":
      return exp(times(IMAGINARY_UNIT, z), budget);
    case "ln":
      return ln(z, budget);
    case "log": {
      if (second === null) return undefined;
      if (second === undefined && point.logarithmBase === "e") return ln(z, budget);
      const above = ln(z, budget);
      const below = ln(second ?? complex(realOfRational(rational(10n))), budget);
      return above && below && !isZero(below) ? over(above, below) : undefined;
    }
    case "abs":
      return complex(modulus(z, budget));
    case "floor":
      return isReal(z) ? complex(floor(z.re)) : undefined;
    case "ceil":
      return isReal(z) ? complex(negateReal(floor(negateReal(z.re)))) : undefined;
    case "factorial":
    case "binomial":
      return undefined;
  }
}

/** A value that cannot be told from an integer counts as that integer: ⌊log 1000⌋ is 3. */
function floor(a: Real): Real {
  const half: Real = { mantissa: 1n, exponent: -1, error: -Infinity };
  const nearest = integerBelow(subtractReals(a, negateReal(half)));
  return isNoise(subtractReals(a, nearest)) ? nearest : integerBelow(a);
}

function integerBelow({ mantissa, exponent }: Real): Real {
  if (exponent >= 0) return { mantissa, exponent, error: -Infinity };
  return mantissa === 0n ? ZERO : { mantissa: mantissa >> BigInt(-exponent), exponent: 0, error: -Infinity };
}
