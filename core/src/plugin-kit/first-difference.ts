import { isDeepStrictEqual } from "node:util";

/** Where two values part, at the deepest place that they share. */
export interface Difference {
  /** As in `rewards_N[0]`; empty where the values themselves differ. */
  readonly place: string;
  readonly first: unknown;
  readonly second: unknown;
}

/** The first place at which two values are not the same, or undefined. */
export function firstDifference(first: unknown, second: unknown, place = ""): Difference | undefined {
  if (isDeepStrictEqual(first, second)) return undefined;
  if (!isBranch(first) || !isBranch(second) || Array.isArray(first) !== Array.isArray(second))
    return { place, first, second };
  for (const key of new Set([...Object.keys(first), ...Object.keys(second)])) {
    const inner = Array.isArray(first) ? `${place}[${key}]` : place === "" ? key : `${place}.${key}`;
    const found = firstDifference(first[key], second[key], inner);
    if (found) return found;
  }
  return { place, first, second };
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}
