import { SIZE_LIMITS, type WorkBudget } from "./work-budget.js";

/** An exact fraction; the denominator is positive, and the two need not be coprime. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The fraction numerator / denominator with its sign above; the denominator must not be 0. */
export function rational(numerator: bigint, denominator = 1n): Rational {
  return denominator < 0n ? { numerator: -numerator, denominator: -denominator } : { numerator, denominator };
}

/** The exact value of decimal notation: "12", "12.50", ".5". */
export function rationalOfDecimal(text: string): Rational {
  const [whole = "", fraction = ""] = text.split(".");
  return rational(BigInt(`${whole}${fraction}` || "0"), 10n ** BigInt(fraction.length));
}

export function isEqual(a: Rational, b: Rational): boolean {
  return a.numerator * b.denominator === b.numerator * a.denominator;
}

/** Negative, 0 or positive as a lies below, on or above b. */
export function compareRationals(a: Rational, b: Rational): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The integer that a fraction is, or undefined. */
export function integerOf(a: Rational): bigint | undefined {
  return a.numerator % a.denominator === 0n ? a.numerator / a.denominator : undefined;
}

export function add(a: Rational, b: Rational): Rational {
  return a.denominator === b.denominator
    ? { numerator: a.numerator + b.numerator, denominator: a.denominator }
    : {
        numerator: a.numerator * b.denominator + b.numerator * a.denominator,
        denominator: a.denominator * b.denominator,
      };
}

export function multiply(a: Rational, b: Rational): Rational {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

/** a / b, or undefined where b is 0. */
export function divide(a: Rational, b: Rational): Rational | undefined {
  return b.numerator === 0n ? undefined : rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

/** base^exponent, or undefined for 0 to a negative power and for results of more than `SIZE_LIMITS.bits` bits. */
export function power(base: Rational, exponent: bigint): Rational | undefined {
  const size = exponent < 0n ? -exponent : exponent;
  if (exponent < 0n && base.numerator === 0n) return undefined;
  const isUnit = base.denominator === 1n && base.numerator >= -1n && base.numerator <= 1n;
  if (isUnit)
    return {
      numerator: base.numerator === -1n ? (size % 2n === 0n ? 1n : -1n) : size === 0n ? 1n : base.numerator,
      denominator: 1n,
    };
  if (size * BigInt(bitsOf(base)) > BigInt(SIZE_LIMITS.bits)) return undefined;
  const numerator = base.numerator ** size;
  const denominator = base.denominator ** size;
  return exponent < 0n ? rational(denominator, numerator) : { numerator, denominator };
}

/** Lowest terms. */
export function reduce(a: Rational, budget: WorkBudget): Rational {
  let [x, y] = [a.numerator < 0n ? -a.numerator : a.numerator, a.denominator];
  const stepCost = 1 + bitsOf(a) / 256;
  while (y !== 0n) {
    budget.spend(stepCost);
    [x, y] = [y, x % y];
  }
  return { numerator: a.numerator / x, denominator: a.denominator / x };
}

/** The exact real nth root of a fraction (odd n also of a negative one), or undefined where it is irrational. */
export function exactRoot(a: Rational, degree: number, budget: WorkBudget): Rational | undefined {
  if (a.numerator < 0n && degree % 2 === 0) return undefined;
  const { numerator, denominator } = reduce(a, budget);
  const size = numerator < 0n ? -numerator : numerator;
  const over = integerRoot(size, degree, budget);
  const under = integerRoot(denominator, degree, budget);
  if (over ** BigInt(degree) !== size || under ** BigInt(degree) !== denominator) return undefined;
  return { numerator: numerator < 0n ? -over : over, denominator: under };
}

/** ⌊value^(1/degree)⌋ for value ≥ 0, by Newton's method from above. */
export function integerRoot(value: bigint, degree: number, budget: WorkBudget): bigint {
  if (value < 2n || degree === 1) return value;
  const n = BigInt(degree);
  const bits = bitLength(value);
  if (degree >= bits) return 1n;
  let guess = 1n << BigInt(Math.ceil(bits / degree));
  for (;;) {
    budget.spend(2 + bits / 128);
    const next = ((n - 1n) * guess + value / guess ** (n - 1n)) / n;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** Bits of the larger of numerator and denominator. */
export function bitsOf(a: Rational): number {
  return Math.max(bitLength(a.numerator), bitLength(a.denominator));
}

/** Bits of |value|; 0 for 0. */
export function bitLength(value: bigint): number {
  const size = value < 0n ? -value : value;
  if (size < 0x20000000000000n) return size === 0n ? 0 : Math.floor(Math.log2(Number(size))) + 1;
  const digits = size.toString(16);
  return digits.length * 4 - Math.clz32(parseInt(digits.charAt(0), 16)) + 28;
}
