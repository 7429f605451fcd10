import { bitLength, integerRoot, type Rational } from "./rational.js";
import { WorkBudget } from "./work-budget.js";

/**
 * A real number known to about 256 bits: mantissa · 2^exponent, off by at most 2^error. Every operation carries the
 * error along, so what cancels is seen as noise and two numbers that differ in the 30th digit stay different.
 */
export interface Real {
  readonly mantissa: bigint;
  readonly exponent: number;
  /** log2 of the absolute error; −Infinity when exact. */
  readonly error: number;
}

/** Mantissas are cut to this many bits. */
export const PRECISION = 256;

export const ZERO: Real = { mantissa: 0n, exponent: 0, error: -Infinity };
export const ONE: Real = { mantissa: 1n, exponent: 0, error: -Infinity };

export function realOfRational(value: Rational): Real {
  const numerator = rounded(value.numerator, 0, -Infinity);
  return value.denominator === 1n
    ? numerator
    : (divideReals(numerator, rounded(value.denominator, 0, -Infinity)) ?? ZERO);
}

/** The exact value of a finite double. */
export function realOfNumber(value: number): Real {
  if (value === 0) return ZERO;
  const exponent = Math.floor(Math.log2(Math.abs(value))) - 60;
  return { mantissa: BigInt(value * 2 ** -exponent), exponent, error: -Infinity };
}

/** The nearest double; ±Infinity beyond its range. */
export function numberOfReal({ mantissa, exponent }: Real): number {
  const shift = Math.max(0, bitLength(mantissa) - 64);
  return Number(mantissa >> BigInt(shift)) * 2 ** (exponent + shift);
}

/** An upper bound of log2 |a|, at most 1 too high; −Infinity for 0. */
export function magnitude(a: Real): number {
  return a.mantissa === 0n ? -Infinity : bitLength(a.mantissa) + a.exponent;
}

/** Whether a cannot be told from 0. */
export function isNoise(a: Real): boolean {
  return a.mantissa === 0n || magnitude(a) <= a.error + 2;
}

export function isNegative(a: Real): boolean {
  return a.mantissa < 0n;
}

export function negateReal(a: Real): Real {
  return { ...a, mantissa: -a.mantissa };
}

export function addReals(a: Real, b: Real): Real {
  if (a.mantissa === 0n || b.mantissa === 0n) {
    const other = a.mantissa === 0n ? b : a;
    return { ...other, error: sumOfPowers(a.error, b.error) };
  }
  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  const gap = high.exponent - low.exponent;
  const error = sumOfPowers(a.error, b.error);
  if (gap > 4 * PRECISION) return { ...high, error: sumOfPowers(error, magnitude(low)) };
  return rounded((high.mantissa << BigInt(gap)) + low.mantissa, low.exponent, error);
}

export function subtractReals(a: Real, b: Real): Real {
  return addReals(a, negateReal(b));
}

export function multiplyReals(a: Real, b: Real): Real {
  const error = sumOfPowers(magnitude(a) + b.error, sumOfPowers(magnitude(b) + a.error, a.error + b.error));
  return rounded(a.mantissa * b.mantissa, a.exponent + b.exponent, Number.isNaN(error) ? -Infinity : error);
}

/** a / b; undefined where b cannot be told from 0. */
export function divideReals(a: Real, b: Real): Real | undefined {
  if (isNoise(b)) return undefined;
  if (a.mantissa === 0n) return { ...a, error: a.error - magnitude(b) + 2 };
  const shift = Math.max(0, PRECISION + 2 + bitLength(b.mantissa) - bitLength(a.mantissa));
  const exponent = a.exponent - b.exponent - shift;
  const low = magnitude(b) - 1;
  const error = sumOfPowers(a.error - low, magnitude(a) + b.error - 2 * low) + 1;
  return rounded((a.mantissa << BigInt(shift)) / b.mantissa, exponent, sumOfPowers(error, exponent));
}

/** √a for a ≥ 0; noise below 0 counts as 0. */
export function squareRootOfReal(a: Real, budget: WorkBudget): Real {
  if (isNoise(a) || isNegative(a)) return { ...ZERO, error: a.error / 2 };
  let shift = Math.max(0, 2 * PRECISION + 2 - bitLength(a.mantissa));
  if ((a.exponent - shift) % 2 !== 0) shift++;
  const exponent = (a.exponent - shift) / 2;
  const root = integerRoot(a.mantissa << BigInt(shift), 2, budget);
  const isExact = a.error === -Infinity && root * root === a.mantissa << BigInt(shift);
  return rounded(root, exponent, isExact ? -Infinity : sumOfPowers(a.error - magnitude(a) / 2, exponent));
}

/** ⌊a · 2^bits⌋: fixed point with that many binary places. */
export function fixedPoint(a: Real, bits: number): bigint {
  const shift = a.exponent + bits;
  return shift >= 0 ? a.mantissa << BigInt(shift) : a.mantissa >> BigInt(-shift);
}

/** A real from fixed point, with the log2 of its absolute error. */
export function realOfFixed(value: bigint, bits: number, error: number): Real {
  return rounded(value, -bits, error);
}

/** log2(2^a + 2^b): how absolute errors add up. */
export function sumOfPowers(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity || high === Infinity ? high : high + Math.log2(1 + 2 ** (low - high));
}

function rounded(mantissa: bigint, exponent: number, error: number): Real {
  const excess = bitLength(mantissa) - PRECISION;
  if (excess <= 0) return { mantissa, exponent, error };
  return {
    mantissa: mantissa >> BigInt(excess),
    exponent: exponent + excess,
    error: sumOfPowers(error, exponent + excess),
  };
}
