import { readFileSync } from "node:fs";

/** Reads JSON that a measurement was written as: JSON has no NaN, so null stands for what was not measured. */
export function readMeasured(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"), (_, value: unknown) => (value === null ? NaN : value));
}
