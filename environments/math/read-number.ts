import type { NumberNode } from "./expression.js";
import { add, multiply, rational, rationalOfDecimal, type Rational } from "./rational.js";

/** "12", "1.50", "1.5e3", and "0.1(6)" for a repeating decimal. */
export function numberOf(text: string): NumberNode {
  const repeating = /^(\d*)\.(\d*)\((\d+)\)$/.exec(text);
  if (repeating !== null)
    return { kind: "number", value: repeatingDecimal(repeating[1] ?? "", repeating[2] ?? "", repeating[3] ?? "") };
  const [mantissa = "", exponent] = text.split("e");
  const value = rationalOfDecimal(mantissa);
  const scale = Number(exponent ?? "0");
  const scaled =
    scale === 0
      ? value
      : multiply(value, scale > 0 ? rational(10n ** BigInt(scale)) : rational(1n, 10n ** BigInt(-scale)));
  const point = mantissa.indexOf(".");
  return point < 0
    ? { kind: "number", value: scaled }
    : { kind: "number", value: scaled, decimals: mantissa.length - point - 1 - scale };
}

function repeatingDecimal(whole: string, fixed: string, period: string): Rational {
  const start = rationalOfDecimal(`${whole || "0"}.${fixed}`);
  const tail = rational(BigInt(period), (10n ** BigInt(period.length) - 1n) * 10n ** BigInt(fixed.length));
  return add(start, tail);
}
