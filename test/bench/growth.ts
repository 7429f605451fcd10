import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A quantity that may grow, as it was read. */
export interface Reading {
  /** Time or work done since the start. */
  readonly at: number;
  readonly value: number;
}

/** How much a quantity grows, and how well that is known. */
export interface Growth {
  /** For each unit of `at`. */
  readonly slope: number;
  /** With 95 % confidence the true slope lies no farther away than this; Infinity for fewer than three readings. */
  readonly within: number;
}

/** Of the normal distribution; readings are many enough for it. */
const QUANTILE_95 = 1.96;

/** Least squares slope. Readings may scatter around their line; one difference of two of them says nothing. */
export function growthOf(readings: readonly Reading[]): Growth {
  const count = readings.length;
  const sum = (pick: (one: Reading) => number): number => readings.reduce((total, one) => total + pick(one), 0);
  const [at, value] = [sum((one) => one.at) / Math.max(1, count), sum((one) => one.value) / Math.max(1, count)];
  const extent = sum((one) => (one.at - at) ** 2);
  if (extent === 0) return { slope: 0, within: Infinity };
  const slope = sum((one) => (one.at - at) * (one.value - value)) / extent;
  const scatter = sum((one) => (one.value - value - slope * (one.at - at)) ** 2);
  return { slope, within: count < 3 ? Infinity : QUANTILE_95 * Math.sqrt(scatter / (count - 2) / extent) };
}

setFlagsFromString("--expose-gc");
// V8 puts it into contexts that are made from now on.
const collect: unknown = runInNewContext("gc");

/** Bytes of this thread's live objects and buffers, after what is garbage was collected. */
export async function liveBytes(): Promise<number> {
  for (let pass = 0; pass < 2; pass++) {
    if (typeof collect === "function") collect();
    // What a collection finds dead lets go of more in a turn of its own.
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
