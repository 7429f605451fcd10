import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";
import { errors } from "../errors.js";
import { nearest } from "./nearest.js";

/** Where the value of a setting came from. */
export type Origin = "default" | "command line" | `${string}:${number}`;

/** A checked config with its origins. */
export interface LoadedConfig<Config> {
  readonly config: Config;
  /** Where relative paths in the config start: the folder of its file. */
  readonly baseDirectory: string;
  /** Dotted path of every leaf → where its value came from. */
  readonly origins: ReadonlyMap<string, Origin>;
}

type Tree = Record<string, unknown>;

/**
 * Reads a YAML config, lays `key=value` overrides over it, and checks it against a schema.
 *
 * @param overrides dotted paths, as in `train.learningRate=0.002`; values are YAML
 * @throws CONFIG_NOT_FOUND, CONFIG_NOT_YAML, CONFIG_NOT_VALID with every problem at once: file:line:column, path, what
 *   was found, the nearest known key
 */
export function loadConfig<Schema extends z.ZodType>(
  file: string,
  overrides: readonly string[],
  schema: Schema,
): LoadedConfig<z.output<Schema>> {
  const path = resolve(file);
  const lines = new LineCounter();
  const document = parseDocument(readConfig(path), { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax)
    throw errors.configNotYaml(
      { place: `${file}:${positionOf(lines, syntax.pos[0])}`, problem: syntax.message.split("\n")[0] ?? "" },
      syntax,
    );
  // The schema below decides what the tree may be.
  const tree = (document.toJS() ?? {}) as Tree;
  const given = overrides.map(parseOverride);
  for (const { path: keys, value } of given) assign(tree, keys, value);

  const parsed = schema.safeParse(tree);
  if (!parsed.success) {
    const place = (keys: readonly PropertyKey[]): string => {
      const override = given.find((one) => keys.join(".").startsWith(one.path.join(".")));
      return override ? `command line ${override.path.join(".")}` : `${file}:${placeIn(document, lines, keys)}`;
    };
    throw errors.configNotValid({
      problems: parsed.error.issues.flatMap((issue) => describeIssue(issue, schema, place)),
    });
  }
  const origins = new Map<string, Origin>();
  for (const keys of leaves(parsed.data)) {
    const name = keys.join(".");
    const override = given.some((one) => name.startsWith(one.path.join(".")));
    const node = document.getIn(keys, true);
    origins.set(
      name,
      override ? "command line" : node === undefined ? "default" : `${file}:${lineOf(document, lines, keys)}`,
    );
  }
  return { config: parsed.data, baseDirectory: dirname(path), origins };
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw errors.configNotFound({ path, problem: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}

function parseOverride(text: string): { path: readonly string[]; value: unknown } {
  const equals = text.indexOf("=");
  if (equals <= 0) throw errors.overrideNotValid({ text });
  return { path: text.slice(0, equals).split("."), value: parseDocument(text.slice(equals + 1)).toJS() };
}

function assign(tree: Tree, path: readonly string[], value: unknown): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    // Anything else than an object is replaced: the schema then says what is wanted there.
    at = at[key] = typeof next === "object" && next !== null ? (next as Tree) : {};
  }
  at[path.at(-1) ?? ""] = value;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  place: (keys: readonly PropertyKey[]) => string,
): readonly string[] {
  const where = issue.path.join(".") || "the config";
  if (issue.code !== "unrecognized_keys") return [`${place(issue.path)} ${where}: ${issue.message}`];
  const known = keysAt(schema, issue.path);
  return issue.keys.map((key) => {
    const guess = nearest(key, known);
    return `${place([...issue.path, key])} unknown key "${key}" in ${where}${guess ? `: did you mean "${guess}"?` : `; known keys are ${known.join(", ")}`}`;
  });
}

/** Keys that a schema knows at a path; optional and defaulted layers are looked through. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = schema;
  for (const key of path) at = shapeOf(at)?.[String(key)];
  return Object.keys(shapeOf(at) ?? {});
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  // Only these two properties of zod's schemas are read; anything else ends the search.
  let at = schema as { shape?: Record<string, unknown>; def?: { innerType?: unknown } } | undefined;
  while (at && !at.shape && at.def?.innerType) {
    // As above: an inner schema is a schema.
    at = at.def.innerType as typeof at;
  }
  return at?.shape;
}

function placeIn(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return positionOf(lines, offset);
  }
  return "1:1";
}

/** Offset of a key, or of a value in a list. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const key = parent.items.find((pair) => isScalar(pair.key) && pair.key.value === last)?.key;
    return isScalar(key) ? key.range?.[0] : undefined;
  }
  const item = isSeq(parent) ? parent.items[Number(last)] : undefined;
  // Every node of a parsed document has a range; only that is read.
  return (item as { range?: readonly number[] } | undefined)?.range?.[0];
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  return lines.linePos(offsetOf(document, path) ?? 0).line;
}

function positionOf(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${line}:${col}`;
}

function leaves(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}
