import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A quantity that may grow, as it was read. */
export interface Reading {
  /** Time or work done since the start. */
  readonly at: number;
  readonly value: number;
}

/** Least squares slope: growth of the value for each unit of `at`. */
export function growthOf(readings: readonly Reading[]): number {
  const mean = (pick: (one: Reading) => number): number =>
    readings.reduce((sum, one) => sum + pick(one), 0) / Math.max(1, readings.length);
  const [at, value] = [mean((one) => one.at), mean((one) => one.value)];
  const covariance = mean((one) => (one.at - at) * (one.value - value));
  const variance = mean((one) => (one.at - at) ** 2);
  return variance === 0 ? 0 : covariance / variance;
}

setFlagsFromString("--expose-gc");
// V8 puts it into contexts that are made from now on.
const collect: unknown = runInNewContext("gc");

/** Bytes of this thread's live objects and buffers, after what is garbage was collected. */
export function liveBytes(): number {
  if (typeof collect === "function") collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
