import {
  addReals,
  divideReals,
  isNegative,
  isNoise,
  multiplyReals,
  negateReal,
  ONE,
  squareRootOfReal,
  subtractReals,
  ZERO,
  type Real,
} from "./precise-real.js";
import { angleOf, exponential, logarithm, PI, sineAndCosine } from "./precise-functions.js";
import type { WorkBudget } from "./work-budget.js";

/** A complex number of two reals that know their own errors. */
export interface Complex {
  readonly re: Real;
  readonly im: Real;
}

export const COMPLEX_ONE: Complex = { re: ONE, im: ZERO };
export const IMAGINARY_UNIT: Complex = { re: ZERO, im: ONE };

export function complex(re: Real, im: Real = ZERO): Complex {
  return { re, im };
}

export function isReal(a: Complex): boolean {
  return isNoise(a.im);
}

export function isZero(a: Complex): boolean {
  return isNoise(a.re) && isNoise(a.im);
}

export function plus(a: Complex, b: Complex): Complex {
  return { re: addReals(a.re, b.re), im: addReals(a.im, b.im) };
}

export function minus(a: Complex, b: Complex): Complex {
  return { re: subtractReals(a.re, b.re), im: subtractReals(a.im, b.im) };
}

export function negative(a: Complex): Complex {
  return { re: negateReal(a.re), im: negateReal(a.im) };
}

export function times(a: Complex, b: Complex): Complex {
  return {
    re: subtractReals(multiplyReals(a.re, b.re), multiplyReals(a.im, b.im)),
    im: addReals(multiplyReals(a.re, b.im), multiplyReals(a.im, b.re)),
  };
}

/** a / b; undefined where b cannot be told from 0. */
export function over(a: Complex, b: Complex): Complex | undefined {
  const square = addReals(multiplyReals(b.re, b.re), multiplyReals(b.im, b.im));
  const product = times(a, { re: b.re, im: negateReal(b.im) });
  const re = divideReals(product.re, square);
  const im = re && divideReals(product.im, square);
  return re && im && { re, im };
}

export function modulus(a: Complex, budget: WorkBudget): Real {
  if (a.im.mantissa === 0n) return isNegative(a.re) ? negateReal(a.re) : a.re;
  return squareRootOfReal(addReals(multiplyReals(a.re, a.re), multiplyReals(a.im, a.im)), budget);
}

/** The principal root: real part not negative. */
export function squareRoot(a: Complex, budget: WorkBudget): Complex {
  if (isReal(a)) {
    const root = squareRootOfReal(isNegative(a.re) ? negateReal(a.re) : a.re, budget);
    return isNegative(a.re) ? { re: ZERO, im: root } : { re: root, im: ZERO };
  }
  const size = modulus(a, budget);
  const half = (x: Real): Real => ({ ...x, exponent: x.exponent - 1, error: x.error - 1 });
  const re = squareRootOfReal(half(addReals(size, a.re)), budget);
  const im = squareRootOfReal(half(subtractReals(size, a.re)), budget);
  return { re, im: isNegative(a.im) ? negateReal(im) : im };
}

export function exp(a: Complex, budget: WorkBudget): Complex {
  const size = exponential(a.re, budget);
  if (a.im.mantissa === 0n) return { re: size, im: ZERO };
  const [sine, cosine] = sineAndCosine(a.im, budget);
  return { re: multiplyReals(size, cosine), im: multiplyReals(size, sine) };
}

/** The principal logarithm; undefined at 0. */
export function ln(a: Complex, budget: WorkBudget): Complex | undefined {
  const re = logarithm(modulus(a, budget), budget);
  if (re === undefined) return undefined;
  const im = isReal(a) && !isNegative(a.re) ? ZERO : angleOf(a.im, a.re, budget);
  return im && { re, im };
}

/** a^n by repeated squaring. */
export function integerPower(a: Complex, n: bigint, budget: WorkBudget): Complex | undefined {
  let result = COMPLEX_ONE;
  let square = a;
  for (let left = n < 0n ? -n : n; left > 0n; left >>= 1n) {
    budget.spend(20);
    if ((left & 1n) === 1n) result = times(result, square);
    square = times(square, square);
  }
  return n < 0n ? over(COMPLEX_ONE, result) : result;
}

/** a^b = e^(b ln a); 0^b is 0 for real b > 0 and otherwise undefined. */
export function complexPower(a: Complex, b: Complex, budget: WorkBudget): Complex | undefined {
  if (isZero(a)) return isReal(b) && !isNegative(b.re) && !isNoise(b.re) ? complex(ZERO) : undefined;
  const logarithmOfBase = ln(a, budget);
  return logarithmOfBase && exp(times(b, logarithmOfBase), budget);
}

/** sin and cos: sin(x + iy) = sin x cosh y + i cos x sinh y, cos(x + iy) = cos x cosh y − i sin x sinh y. */
export function sinCos(a: Complex, budget: WorkBudget): readonly [sine: Complex, cosine: Complex] {
  const [sine, cosine] = sineAndCosine(a.re, budget);
  if (a.im.mantissa === 0n) return [complex(sine), complex(cosine)];
  const [sinh, cosh] = hyperbolic(complex(a.im), budget);
  return [
    { re: multiplyReals(sine, cosh.re), im: multiplyReals(cosine, sinh.re) },
    { re: multiplyReals(cosine, cosh.re), im: negateReal(multiplyReals(sine, sinh.re)) },
  ];
}

export function hyperbolic(a: Complex, budget: WorkBudget): readonly [sinh: Complex, cosh: Complex] {
  const up = exp(a, budget);
  const down = exp(negative(a), budget);
  const half = complex({ mantissa: 1n, exponent: -1, error: -Infinity });
  return [times(half, minus(up, down)), times(half, plus(up, down))];
}

/** arcsin z = −i ln(iz + √(1 − z²)). */
export function arcsine(z: Complex, budget: WorkBudget): Complex | undefined {
  const root = squareRoot(minus(COMPLEX_ONE, times(z, z)), budget);
  const log = ln(plus(times(IMAGINARY_UNIT, z), root), budget);
  return log && times(negative(IMAGINARY_UNIT), log);
}

/** arccos z = π/2 − arcsin z. */
export function arccosine(z: Complex, budget: WorkBudget): Complex | undefined {
  const sine = arcsine(z, budget);
  return sine && minus(complex({ ...PI, exponent: PI.exponent - 1, error: PI.error - 1 }), sine);
}

/** arctan z = (i/2) (ln(1 − iz) − ln(1 + iz)); real z by its angle. */
export function arctangent(z: Complex, budget: WorkBudget): Complex | undefined {
  if (isReal(z)) {
    const angle = angleOf(z.re, ONE, budget);
    return angle && complex(angle);
  }
  const turned = times(IMAGINARY_UNIT, z);
  const below = ln(minus(COMPLEX_ONE, turned), budget);
  const above = below && ln(plus(COMPLEX_ONE, turned), budget);
  const halfUnit = { re: ZERO, im: { mantissa: 1n, exponent: -1, error: -Infinity } };
  return below && above && times(halfUnit, minus(below, above));
}
