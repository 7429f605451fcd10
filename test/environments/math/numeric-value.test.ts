import { describe, expect, it } from "vitest";
import { exactValue } from "../../../environments/math/exact-value.js";
import { numericPoint, numericValue } from "../../../environments/math/numeric-value.js";
import { parseExpression } from "../../../environments/math/parse-expression.js";
import { fixedPoint, isNoise, subtractReals } from "../../../environments/math/precise-real.js";
import { PRIMES, residuePoint, residueValue } from "../../../environments/math/residue-value.js";
import { WorkBudget } from "../../../environments/math/work-budget.js";
import type { Expression } from "../../../environments/math/expression.js";

function parse(text: string): Expression {
  const [reading] = parseExpression(text, new WorkBudget());
  if (reading === undefined) throw new RangeError("no reading");
  return reading;
}

function valueOf(text: string) {
  const value = numericValue(parse(text), numericPoint(0, false, "10"), new WorkBudget());
  if (value === undefined) throw new RangeError(`"${text}" has no value`);
  return value;
}

/** The real part to 60 decimals, cut off. */
function decimals(text: string): string {
  const scaled = (fixedPoint(valueOf(text).re, 240) * 10n ** 60n) >> 240n;
  return `${scaled / 10n ** 60n}.${String(scaled % 10n ** 60n).padStart(60, "0")}`;
}

describe("numericValue()", () => {
  it.each([
    ["\\pi", "3.141592653589793238462643383279502884197169399375105820974944"],
    ["e", "2.718281828459045235360287471352662497757247093699959574966967"],
    ["\\sqrt{2}", "1.414213562373095048801688724209698078569671875376948073176679"],
    ["\\ln 2", "0.693147180559945309417232121458176568075500134360255254120680"],
    ["\\sin 1", "0.841470984807896506652502321630298999622563060798371065672751"],
    ["\\cos 1", "0.540302305868139717400936607442976603732310420617922227670097"],
    ["\\arctan\\frac{1}{2}", "0.463647609000806116214256231461214402028537054286120263810933"],
  ])("gives %s to 60 decimals", (text, expected) => {
    expect(decimals(text)).toBe(expected);
  });

  it.each([
    ["e^{i\\pi}", "-1"],
    ["\\sin\\frac{\\pi}{6}", "\\frac{1}{2}"],
    ["\\ln(e^{3})", "3"],
    ["e^{\\ln 7}", "7"],
    ["e^{-20}e^{20}", "1"],
    ["\\arcsin\\frac{1}{2}", "\\frac{\\pi}{6}"],
    ["\\arccos(-1)", "\\pi"],
    ["\\arctan 1+\\arctan 2+\\arctan 3", "\\pi"],
    ["\\sinh(\\ln 2)", "\\frac{3}{4}"],
    ["\\cosh^2 1-\\sinh^2 1", "1"],
    ["(1+i)^{8}", "16"],
    ["i^i", "e^{-\\pi/2}"],
    ["\\cos(1000000)^2+\\sin(1000000)^2", "1"],
    ["\\log_3 81", "4"],
    ["(-8)^{2/3}", "4"],
    ["\\lfloor\\log_{10} 1000\\rfloor", "3"],
    ["\\sin i", "i\\sinh 1"],
    ["\\tan\\frac{\\pi}{8}", "\\sqrt{2}-1"],
  ])("finds %s and %s the same to within their own errors, and these far below 2^-200", (a, b) => {
    const [left, right] = [valueOf(a), valueOf(b)];
    for (const difference of [subtractReals(left.re, right.re), subtractReals(left.im, right.im)]) {
      expect(isNoise(difference)).toBe(true);
      expect(difference.error).toBeLessThan(-200);
    }
  });

  it("knows that it has lost what cancelled", () => {
    const difference = valueOf("\\sqrt{2}+\\sqrt{3}-\\sqrt{5+2\\sqrt{6}}");
    expect(isNoise(difference.re)).toBe(true);
    expect(isNoise(valueOf("e^{\\pi\\sqrt{163}}-262537412640768744").re)).toBe(false);
  });

  it.each(["\\frac{1}{\\sqrt{2}-\\sqrt{2}}", "\\ln 0", "\\tan\\frac{\\pi}{2}", "\\infty"])(
    "has no value for %s",
    (text) => {
      expect(numericValue(parse(text), numericPoint(0, false, "10"), new WorkBudget())).toBeUndefined();
    },
  );
});

describe("exactValue()", () => {
  it.each([
    ["0.1+0.2", 3n, 10n],
    ["2^{-3}", 1n, 8n],
    ["\\sqrt{\\frac{9}{16}}", 3n, 4n],
    ["8^{2/3}", 4n, 1n],
    ["\\sqrt[3]{-27}", -3n, 1n],
    ["\\binom{10}{3}", 120n, 1n],
    ["50\\%", 1n, 2n],
    ["0.1\\overline{6}", 1n, 6n],
    ["|-3|", 3n, 1n],
    ["\\lfloor -2.5\\rfloor", -3n, 1n],
    ["(-1)^{1000001}", -1n, 1n],
  ])("gives %s as a fraction", (text, numerator, denominator) => {
    const value = exactValue(parse(text), new WorkBudget());
    expect(value && value.numerator * denominator === numerator * value.denominator).toBe(true);
  });

  it.each(["\\sqrt{2}", "x", "\\frac{1}{0}", "0^{-1}", "\\sqrt{-4}", "2^{100000000}", "\\pi"])(
    "has no fraction for %s",
    (text) => {
      expect(exactValue(parse(text), new WorkBudget())).toBeUndefined();
    },
  );
});

describe("residueValue()", () => {
  it.each([0, 1])("works modulo a prime with a root of −1 (point %i)", (index) => {
    const { prime, imaginaryUnit } = residuePoint(index);
    expect(PRIMES).toContain(prime);
    expect((imaginaryUnit * imaginaryUnit) % prime).toBe(prime - 1n);
    // Miller and Rabin to these twelve bases decides every number below 2^64.
    expect([2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n].every((base) => isProbablePrime(prime, base))).toBe(
      true,
    );
  });

  it("reduces powers that are never worked out", () => {
    const point = residuePoint(0);
    const residue = residueValue(parse("2^{100000000}"), point, new WorkBudget());
    expect(residue).toBe(powerModulo(2n, 100_000_000n, point.prime));
  });

  it("has no residue where a denominator vanishes or a root is taken", () => {
    expect(residueValue(parse("\\frac{1}{x-x}"), residuePoint(0), new WorkBudget())).toBeUndefined();
    expect(residueValue(parse("\\sqrt{x}"), residuePoint(0), new WorkBudget())).toBeUndefined();
  });
});

function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let [square, left] = [base, exponent]; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function isProbablePrime(n: bigint, base: bigint): boolean {
  let [odd, twos] = [n - 1n, 0];
  while (odd % 2n === 0n) [odd, twos] = [odd / 2n, twos + 1];
  let x = powerModulo(base, odd, n);
  if (x === 1n || x === n - 1n) return true;
  for (let i = 1; i < twos; i++) {
    x = (x * x) % n;
    if (x === n - 1n) return true;
  }
  return false;
}
