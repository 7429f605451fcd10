import { isList, NumberText, type Value } from "./value-codec.js";

/**
 * Whether a function returned what was expected, by Python's `==` with a tolerance: a tuple is a list, True is 1,
 * integers are exact, and where either side has a point or an exponent they may differ by the tolerance, absolute or
 * relative. A key counts by its text, as JSON has no other keys.
 */
export function equalValues(actual: Value, expected: Value, tolerance: number): boolean {
  const [a, b] = [plain(actual), plain(expected)];
  if (a instanceof NumberText && b instanceof NumberText) return equalNumbers(a, b, tolerance);
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return a === b;
  if (isList(a) || isList(b)) return isList(a) && isList(b) && equalLists(a, b, tolerance);
  if (a instanceof NumberText || b instanceof NumberText) return false;
  if (a.kind === "dict" || b.kind === "dict") {
    if (a.kind !== "dict" || b.kind !== "dict" || a.entries.length !== b.entries.length) return false;
    const found = new Map(a.entries.map(([key, value]) => [keyOf(key), value]));
    return b.entries.every(([key, value]) => {
      const other = found.get(keyOf(key));
      return other !== undefined && equalValues(other, value, tolerance);
    });
  }
  if (a.kind !== b.kind || a.items.length !== b.items.length) return false;
  if (a.kind !== "set") return equalLists(a.items, b.items, tolerance);
  const keys = new Set(a.items.map(keyOf));
  return b.items.every((item) => keys.has(keyOf(item)));
}

/** Two numbers as texts: exact if both are integers, else within the tolerance; NaN equals nothing. */
export function equalNumbers(a: NumberText, b: NumberText, tolerance: number): boolean {
  if (a.isInteger && b.isInteger) return BigInt(a.text) === BigInt(b.text);
  const [x, y] = [a.value, b.value];
  return x === y || Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y));
}

function equalLists(a: readonly Value[], b: readonly Value[], tolerance: number): boolean {
  return a.length === b.length && b.every((item, index) => equalValues(a[index] ?? null, item, tolerance));
}

/** A tuple as a list, a truth value as a number. */
function plain(value: Value): Value {
  if (typeof value === "boolean") return new NumberText(value ? "1" : "0");
  return value !== null &&
    typeof value === "object" &&
    !isList(value) &&
    !(value instanceof NumberText) &&
    value.kind === "tuple"
    ? value.items
    : value;
}

function keyOf(value: Value): string {
  const key = plain(value);
  if (key instanceof NumberText) return key.isInteger ? key.text : String(key.value);
  if (typeof key === "string") return key;
  if (key === null) return "null";
  return JSON.stringify(key, (_name, inner: unknown) => (inner instanceof NumberText ? inner.text : inner));
}
