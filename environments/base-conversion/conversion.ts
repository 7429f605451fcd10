import type { Random } from "@troupe/core/sdk";

/** A whole number that is written in one base and wanted in another. */
export interface Conversion {
  readonly value: number;
  readonly from: number;
  readonly to: number;
}

/** A number of exactly `digits` digits in its base, without a leading zero, and another base to write it in. */
export function drawConversion(random: Random, digits: number, bases: readonly number[]): Conversion {
  // The settings admit two different bases or more.
  const [from, to] = random.shuffle(bases) as [number, number];
  return { value: random.integer(from ** (digits - 1), from ** digits), from, to };
}

/** How it is written in a task: "1101 2 10". */
export function textOf({ value, from, to }: Conversion): string {
  return `${digitsOf(value, from)} ${from} ${to}`;
}

/** Reads a conversion's text; undefined when it is none. */
export function parseConversion(text: string): Conversion | undefined {
  const match = /^([0-9A-Z]{1,40}) (\d{1,2}) (\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [, digits = "", from, to] = match;
  const value = Number(valueOf(digits, Number(from)) ?? NaN);
  return isBase(Number(to)) && Number.isSafeInteger(value) ? { value, from: Number(from), to: Number(to) } : undefined;
}

/** Whether digits 0–9 and A–Z suffice for a base. */
export function isBase(base: number): boolean {
  return base >= 2 && base <= 36;
}

/** The digits of a whole number, letters in upper case. */
export function digitsOf(value: number, base: number): string {
  return value.toString(base).toUpperCase();
}

/** The value of digits in either case, exactly; undefined where one does not belong to the base. */
export function valueOf(digits: string, base: number): bigint | undefined {
  let value = 0n;
  for (const digit of digits) {
    const worth = parseInt(digit, 36);
    if (!isBase(base) || !(worth < base)) return undefined;
    value = value * BigInt(base) + BigInt(worth);
  }
  return digits === "" ? undefined : value;
}
