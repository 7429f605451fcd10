import type { JsonValue } from "../records/json.js";

/**
 * A plugin's state as a checkpoint holds it: a copy through JSON. What JSON would lose in silence is refused here, as a
 * resumed run would go on with another state than the one that was saved. A property that is undefined is left out.
 *
 * @throws TypeError naming the place and what was found there
 */
export function plainState(state: unknown): JsonValue {
  if (state === undefined) return null;
  // First, as it names a cycle better than a walk without end.
  const text = JSON.stringify(state);
  checkPlain(state, "the state");
  // Every part is what JSON holds.
  return JSON.parse(text) as JsonValue;
}

function checkPlain(value: unknown, place: string): void {
  if (value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => checkPlain(item, `${place}[${index}]`));
    return;
  }
  if (typeof value !== "object" || !isPlainObject(value))
    throw new TypeError(`${place} is ${nameOf(value)}, which JSON cannot hold: plain data is wanted`);
  for (const [key, item] of Object.entries(value)) if (item !== undefined) checkPlain(item, `${place}.${key}`);
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function nameOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "object" && value !== null ? `a ${value.constructor.name}` : `a ${typeof value}`;
}
