import { inspect } from "node:util";
import { TroupeError } from "../error-catalogue.js";

/** An error as plain data. Structured clone alone would lose name, code, fields and, on Node 20, all of a DOMException. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  /** Own fields of the error; of a TroupeError its `details`. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause?: WireError;
  /** Of an AggregateError. */
  readonly errors?: readonly WireError[];
  /** Only of a TroupeError. */
  readonly troupe?: { readonly code: string; readonly hint: string; readonly exitCode: number };
}

const MAX_DEPTH = 6;
const MAX_TEXT = 16_384;
const MAX_ERRORS = 32;
const KNOWN_FIELDS = new Set(["name", "message", "code", "stack", "cause", "errors", "hint", "exitCode", "details"]);

/** Turns whatever was thrown into plain data that every placement can carry; never throws. */
export function encodeError(thrown: unknown): WireError {
  return encode(thrown, 0);
}

function encode(thrown: unknown, depth: number): WireError {
  if (!(thrown instanceof Error)) return { name: "Thrown", message: describe(thrown), details: {} };
  try {
    return encodeWhole(thrown, depth);
  } catch {
    // A getter of the error throws.
    return { name: "Error", message: describe(thrown), details: {} };
  }
}

function encodeWhole(thrown: Error, depth: number): WireError {
  const { name, message, stack, cause } = thrown;
  const code = "code" in thrown ? thrown.code : undefined;
  const deeper = depth < MAX_DEPTH;
  return {
    name: String(name),
    message: cut(String(message)),
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    ...(stack === undefined ? {} : { stack: cut(String(stack)) }),
    details: encodeFields(thrown instanceof TroupeError ? thrown.details : ownFields(thrown)),
    ...(cause === undefined || !deeper ? {} : { cause: encode(cause, depth + 1) }),
    ...(thrown instanceof AggregateError && deeper
      ? { errors: thrown.errors.slice(0, MAX_ERRORS).map((one: unknown) => encode(one, depth + 1)) }
      : {}),
    ...(thrown instanceof TroupeError
      ? { troupe: { code: thrown.code, hint: thrown.hint, exitCode: thrown.exitCode } }
      : {}),
  };
}

/** The error that `encodeError` was given: a TroupeError again where it was one, otherwise an Error with its name and fields. */
export function decodeError(wire: WireError): Error {
  const cause = wire.cause === undefined ? undefined : decodeError(wire.cause);
  const error = wire.troupe
    ? new TroupeError(wire.troupe.code, wire.message, { ...wire.troupe, details: wire.details, cause })
    : plainError(wire, cause);
  if (wire.stack !== undefined)
    Object.defineProperty(error, "stack", { value: wire.stack, configurable: true, writable: true });
  return error;
}

function plainError(wire: WireError, cause: Error | undefined): Error {
  const options = cause === undefined ? undefined : { cause };
  const error = wire.errors
    ? new AggregateError(wire.errors.map(decodeError), wire.message, options)
    : new Error(wire.message, options);
  Object.defineProperty(error, "name", { value: wire.name, configurable: true, writable: true });
  return Object.assign(error, wire.code === undefined ? {} : { code: wire.code }, wire.details);
}

function ownFields(error: Error): Record<string, unknown> {
  return Object.fromEntries(Object.entries(error).filter(([key]) => !KNOWN_FIELDS.has(key)));
}

/** Fields that structured clone refuses become a description of themselves. */
function encodeFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cloneOrDescribe(value)]));
}

function cloneOrDescribe(value: unknown): unknown {
  if (value === null || (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol"))
    return value;
  try {
    return structuredClone(value);
  } catch {
    return describe(value);
  }
}

function describe(value: unknown): string {
  return typeof value === "string" ? cut(value) : cut(inspect(value, { depth: 2 }));
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}
