import { multiply, power, rational, type Rational } from "./rational.js";

/** What a unit measures, as powers of base dimensions, and its size in base units (m, kg, s, dollar, radian excluded). */
export interface UnitScale {
  readonly dimension: string;
  readonly scale: Rational;
}

type Base = readonly [
  dimension: "length" | "mass" | "time" | "money",
  power: number,
  numerator: bigint,
  denominator: bigint,
];

/** Exact by definition; the foot is 0.3048 m and the pound 0.45359237 kg. */
const BASES: ReadonlyMap<string, Base> = new Map<string, Base>([
  ["mm", ["length", 1, 1n, 1000n]],
  ["cm", ["length", 1, 1n, 100n]],
  ["m", ["length", 1, 1n, 1n]],
  ["km", ["length", 1, 1000n, 1n]],
  ["in", ["length", 1, 254n, 10_000n]],
  ["ft", ["length", 1, 3048n, 10_000n]],
  ["yd", ["length", 1, 9144n, 10_000n]],
  ["mi", ["length", 1, 1_609_344n, 1000n]],
  ["ml", ["length", 3, 1n, 1_000_000n]],
  ["l", ["length", 3, 1n, 1000n]],
  ["mg", ["mass", 1, 1n, 1_000_000n]],
  ["g", ["mass", 1, 1n, 1000n]],
  ["kg", ["mass", 1, 1n, 1n]],
  ["oz", ["mass", 1, 45_359_237n, 1_600_000_000n]],
  ["lb", ["mass", 1, 45_359_237n, 100_000_000n]],
  ["s", ["time", 1, 1n, 1n]],
  ["min", ["time", 1, 60n, 1n]],
  ["h", ["time", 1, 3600n, 1n]],
  ["day", ["time", 1, 86_400n, 1n]],
  ["week", ["time", 1, 604_800n, 1n]],
  ["cent", ["money", 1, 1n, 100n]],
  ["dollar", ["money", 1, 1n, 1n]],
]);

/**
 * The scale of a unit as `unitOf` spells it, "km/h" or "cm^2"; undefined for one that is no measure, such as "apple".
 *
 * @example
 * unitScale("cm^2")?.dimension; // "length^2"
 */
export function unitScale(unit: string): UnitScale | undefined {
  const powers = new Map<string, number>();
  let scale = rational(1n);
  for (const [index, part] of unit.split("/").entries()) {
    const [, name = "", exponent = "1"] = /^([a-z]+)(?:\^(\d))?$/.exec(part) ?? [];
    const base = BASES.get(name);
    if (base === undefined) return undefined;
    const [dimension, degree, numerator, denominator] = base;
    const raised = Number(exponent) * (index === 0 ? 1 : -1);
    powers.set(dimension, (powers.get(dimension) ?? 0) + degree * raised);
    const factor = power(rational(numerator, denominator), BigInt(raised));
    if (factor === undefined) return undefined;
    scale = multiply(scale, factor);
  }
  const dimension = [...powers].map(([name, exponent]) => `${name}^${exponent}`).sort();
  return { dimension: dimension.join(" "), scale };
}
