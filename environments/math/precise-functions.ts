import { errors } from "../errors.js";
import {
  addReals,
  divideReals,
  fixedPoint,
  isNegative,
  isNoise,
  magnitude,
  multiplyReals,
  negateReal,
  numberOfReal,
  ONE,
  realOfFixed,
  realOfNumber,
  subtractReals,
  sumOfPowers,
  ZERO,
  type Real,
} from "./precise-real.js";
import type { WorkBudget } from "./work-budget.js";

/** Binary places of the series below: 256 bits of result, and room for what reductions and sums lose. */
const PLACES = 400;
const UNIT = 1n << BigInt(PLACES);
/** log2 of the error of a series result that is itself about 1. */
const SERIES_ERROR = -340;

/** atan(1 / n) by its power series. */
function arctanOfReciprocal(n: bigint): bigint {
  let power = UNIT / n;
  let sum = power;
  for (let k = 3n; power !== 0n; k += 2n) {
    power /= -n * n;
    sum += power / k;
  }
  return sum;
}

/** atanh(1 / n) by its power series. */
function artanhOfReciprocal(n: bigint): bigint {
  let power = UNIT / n;
  let sum = power;
  for (let k = 3n; power !== 0n; k += 2n) {
    power /= n * n;
    sum += power / k;
  }
  return sum;
}

// Machin: π = 16 atan(1/5) − 4 atan(1/239); and ln 2 = 18 artanh(1/26) − 2 artanh(1/4801) + 8 artanh(1/8749).
const PI_FIXED = 16n * arctanOfReciprocal(5n) - 4n * arctanOfReciprocal(239n);
const LN2_FIXED = 18n * artanhOfReciprocal(26n) - 2n * artanhOfReciprocal(4801n) + 8n * artanhOfReciprocal(8749n);

export const PI: Real = realOfFixed(PI_FIXED, PLACES, SERIES_ERROR);

/**
 * e^a. The result of a hopeless size is refused rather than worked out.
 *
 * @throws MATH_WORK_EXCEEDED when |a| is 2^24 or more
 */
export function exponential(a: Real, budget: WorkBudget): Real {
  if (a.mantissa === 0n) return { ...ONE, error: a.error };
  refuseBeyond(a, 24, "a power is too large");
  budget.spend(200);
  const fixed = fixedPoint(a, PLACES);
  const doublings = (fixed + LN2_FIXED / 2n) / LN2_FIXED - (fixed < -LN2_FIXED / 2n ? 1n : 0n);
  // The series runs at an argument 2^8 times smaller; squaring eight times undoes that.
  const argument = (fixed - doublings * LN2_FIXED) >> 8n;
  let term = UNIT;
  let sum = UNIT;
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = ((term * argument) >> BigInt(PLACES)) / k;
    sum += term;
  }
  for (let squaring = 0; squaring < 8; squaring++) sum = (sum * sum) >> BigInt(PLACES);
  return realOfFixed(sum, PLACES - Number(doublings), sumOfPowers(a.error, SERIES_ERROR) + Number(doublings) + 2);
}

/** ln a for a > 0; undefined where a is negative or cannot be told from 0. */
export function logarithm(a: Real, budget: WorkBudget): Real | undefined {
  if (isNoise(a) || isNegative(a)) return undefined;
  const doublings = magnitude(a);
  const fraction: Real = { ...a, exponent: a.exponent - doublings, error: a.error - doublings };
  if (a.error === -Infinity && fixedPoint(fraction, PLACES) === UNIT >> 1n && doublings === 1) return ZERO;
  // A double is right to 2^-50; the rest is a logarithm near 1, where few terms suffice.
  const start = realOfNumber(Math.log(numberOfReal(fraction)));
  const near = subtractReals(multiplyReals(fraction, exponential(negateReal(start), budget)), ONE);
  const t = fixedPoint(near, PLACES);
  let power = t;
  let rest = t;
  for (let k = 2n; k <= 8n; k++) {
    power = (-power * t) >> BigInt(PLACES);
    rest += power / k;
  }
  const fixed = fixedPoint(start, PLACES) + rest + BigInt(doublings) * LN2_FIXED;
  return realOfFixed(fixed, PLACES, sumOfPowers(sumOfPowers(fraction.error + 2, SERIES_ERROR + 12), near.error));
}

/** Sine and cosine. @throws MATH_WORK_EXCEEDED when |a| is 2^96 or more */
export function sineAndCosine(a: Real, budget: WorkBudget): readonly [sine: Real, cosine: Real] {
  refuseBeyond(a, 96, "an angle is too large");
  budget.spend(300);
  const fixed = fixedPoint(a, PLACES);
  const quarter = PI_FIXED / 2n;
  const turns = (fixed + (fixed < 0n ? -quarter : quarter) / 2n) / quarter;
  const t = fixed - turns * quarter;
  const square = (t * t) >> BigInt(PLACES);
  const error = a.error === -Infinity && a.mantissa === 0n ? -Infinity : sumOfPowers(a.error, SERIES_ERROR + 40);
  const sine = realOfFixed(alternatingSeries(t, square, 2n), PLACES, error);
  const cosine = realOfFixed(alternatingSeries(UNIT, square, 1n), PLACES, error);
  const rotations = [
    [sine, cosine],
    [cosine, negateReal(sine)],
    [negateReal(sine), negateReal(cosine)],
    [negateReal(cosine), sine],
  ] as const;
  // The index is 0 to 3.
  return rotations[Number(((turns % 4n) + 4n) % 4n)] as readonly [Real, Real];
}

/** The angle of the point (x, y) in (−π, π]; undefined at the origin. Noise in y counts as 0, so −1 has the angle π. */
export function angleOf(y: Real, x: Real, budget: WorkBudget): Real | undefined {
  if (isNoise(x) && isNoise(y)) return undefined;
  const scale = Math.max(magnitude(x), magnitude(y));
  const flat = (part: Real): Real => ({ ...part, exponent: part.exponent - scale, error: part.error - scale });
  const [flatY, flatX] = [flat(y), flat(x)];
  const up: Real = isNoise(y) ? { ...ZERO, error: flatY.error } : flatY;
  const start = realOfNumber(Math.atan2(numberOfReal(up), numberOfReal(flatX)));
  const [sine, cosine] = sineAndCosine(start, budget);
  const along = addReals(multiplyReals(flatX, cosine), multiplyReals(up, sine));
  const across = subtractReals(multiplyReals(up, cosine), multiplyReals(flatX, sine));
  const tangent = divideReals(across, along);
  if (tangent === undefined) return undefined;
  const t = fixedPoint(tangent, PLACES);
  const square = (t * t) >> BigInt(PLACES);
  let power = t;
  let rest = t;
  for (let k = 3n; k <= 9n; k += 2n) {
    power = (-power * square) >> BigInt(PLACES);
    rest += power / k;
  }
  const small = realOfFixed(rest, PLACES, sumOfPowers(tangent.error, SERIES_ERROR));
  return addReals(start, small);
}

/** first · (1 − square/((offset)(offset+1)) + …): the series of sine (offset 2) and cosine (offset 1). */
function alternatingSeries(first: bigint, square: bigint, offset: bigint): bigint {
  let term = first;
  let sum = first;
  for (let k = offset; term !== 0n && term !== -1n; k += 2n) {
    term = -((term * square) >> BigInt(PLACES)) / (k * (k + 1n));
    sum += term;
  }
  return sum;
}

function refuseBeyond(a: Real, bits: number, what: string): void {
  if (magnitude(a) > bits) throw errors.mathWorkExceeded({ what, limit: 2 ** bits });
}
