/**
 * A value that crossed the boundary, of built-in types alone. Numbers keep their digits: 1 and 1.0 stay apart, and a
 * large integer stays exact.
 */
export type Value =
  | null
  | boolean
  | string
  | NumberText
  | readonly Value[]
  | { readonly kind: "tuple" | "set" | "bytes" | "complex"; readonly items: readonly Value[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [Value, Value])[] };

/** A number as it was written: "12", "1.0", "1e5", "nan", "-inf". */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get isInteger(): boolean {
    return /^-?\d+$/.test(this.text);
  }

  get value(): number {
    if (/^[+-]?(nan|inf)/i.test(this.text))
      return this.text.includes("n") && /nan/i.test(this.text) ? NaN : this.text.startsWith("-") ? -Infinity : Infinity;
    return Number(this.text);
  }
}

/** No text of a program holds it, so that a marked number cannot be mistaken for an object. */
const NUMBER_KEY = "\u0000number";
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|-?Infinity|NaN/g;

/**
 * Reads a value from the JSON that guests write, or from any other JSON.
 *
 * @throws SyntaxError when it is no JSON
 */
export function decodeValue(json: string): Value {
  const marked = json.replace(TOKEN, (token) =>
    token.startsWith('"') ? token : JSON.stringify({ [NUMBER_KEY]: token }),
  );
  return unpack(JSON.parse(marked));
}

/** What JSON.parse gave as a value; its numbers have lost what a double does not hold. */
export function valueOf(parsed: unknown): Value {
  if (typeof parsed === "number") return new NumberText(String(parsed));
  if (typeof parsed !== "object" || parsed === null)
    return typeof parsed === "boolean" || typeof parsed === "string" ? parsed : null;
  if (Array.isArray(parsed)) return parsed.map(valueOf);
  return { kind: "dict", entries: Object.entries(parsed).map(([key, value]) => [key, valueOf(value)] as const) };
}

function unpack(parsed: unknown): Value {
  if (Array.isArray(parsed)) return parsed.map(unpack);
  if (typeof parsed === "boolean" || typeof parsed === "string") return parsed;
  if (typeof parsed !== "object" || parsed === null) return null;
  // An object of JSON is a record of unknown values.
  const { $: tag, v: inner, ...rest } = parsed as Readonly<Record<string, unknown>>;
  const number = rest[NUMBER_KEY];
  if (typeof number === "string") return new NumberText(number);
  if (typeof tag !== "string" || inner === undefined) {
    return { kind: "dict", entries: Object.entries(parsed).map(([key, value]) => [key, unpack(value)] as const) };
  }
  // JavaScript's big integers, which its JSON cannot write.
  if (tag === "float" || tag === "int") return new NumberText(String(inner));
  const items = Array.isArray(inner) ? inner.map(unpack) : [];
  if (tag === "dict") return { kind: "dict", entries: items.flatMap((item) => (isPair(item) ? [item] : [])) };
  return tag === "tuple" || tag === "set" || tag === "bytes" || tag === "complex" ? { kind: tag, items } : null;
}

function isPair(value: Value): value is readonly [Value, Value] {
  return Array.isArray(value) && value.length === 2;
}

/** A value as people write it, cut to `most` characters. */
export function showValue(value: Value, most = 80): string {
  const text = write(value, most);
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function write(value: Value, most: number): string {
  if (value instanceof NumberText) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${writeAll(value, most)}]`;
  if (value.kind === "dict")
    return `{${value.entries
      .slice(0, most)
      .map((entry) => entry.map((one) => write(one, most)).join(": "))
      .join(", ")}}`;
  const inner = writeAll(value.items, most);
  return value.kind === "tuple" ? `(${inner})` : value.kind === "set" ? `{${inner}}` : `${value.kind}(${inner})`;
}

function writeAll(items: readonly Value[], most: number): string {
  return items
    .slice(0, most)
    .map((item) => write(item, most))
    .join(", ");
}

/** Array.isArray does not narrow a readonly array out of a union. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
