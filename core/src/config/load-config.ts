import { dirname, resolve } from "node:path";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";
import { errors } from "../errors.js";
import { describeProblems } from "./describe-problems.js";
import { overlay } from "./overlay.js";
import { readPreset, type Preset } from "./preset.js";
import { isCodeConfig, readConfigText } from "./read-config-text.js";

/**
 * Where the value of a setting came from: "default", "command line", `file:line`, the file of a TypeScript config, or
 * `<plugin>/<preset>:line` of the preset that it extends.
 */
export type Origin = string;

/** A checked config with its origins. */
export interface LoadedConfig<Config> {
  readonly config: Config;
  /** Where relative paths in the config start: the folder of its file. */
  readonly baseDirectory: string;
  /** Dotted path of every leaf → where its value came from. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** `file:line:column` of a path or of what holds it, or `command line:` where a setting there wrote it. */
  readonly place: (path: readonly PropertyKey[]) => string;
}

type Tree = Record<string, unknown>;

/** A preset that a run's settings, or those of an experiment's base, are laid over. */
interface LaidPreset {
  readonly at: readonly string[];
  readonly preset: Preset;
}

/** A setting of the command line. */
interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Reads a YAML or TypeScript config, lays it over the preset that it extends and `key=value` overrides over both, and
 * checks the whole against a schema.
 *
 * @param overrides dotted paths, as in `train.learningRate=0.002`; values are YAML
 * @throws PRESET_NOT_FOUND, PRESET_NOT_VALID, CONFIG_NOT_FOUND, CONFIG_CODE_FAILED, CONFIG_NOT_YAML, CONFIG_NOT_VALID with every problem at once: file:line:column, path, what
 *   was found, the nearest known key
 */
export function loadConfig<Schema extends z.ZodType>(
  file: string,
  overrides: readonly string[],
  schema: Schema,
): LoadedConfig<z.output<Schema>> {
  const path = resolve(file);
  return loadConfigText({ text: readConfigText(path), name: file, path }, overrides, schema);
}

/** The text of a config, the name that messages give it, and the absolute path where it lies or will lie. */
export interface ConfigText {
  readonly text: string;
  readonly name: string;
  readonly path: string;
}

/** `loadConfig` of a text that need not be a file yet. */
export function loadConfigText<Schema extends z.ZodType>(
  { text, name: file, path }: ConfigText,
  overrides: readonly string[],
  schema: Schema,
): LoadedConfig<z.output<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors[0];
  if (syntax)
    throw errors.configNotYaml(
      { place: `${file}:${positionOf(lines, syntax.pos[0])}`, problem: syntax.message },
      syntax,
    );
  const given = overrides.map(parseOverride);
  const { tree, presets } = withPresets(document.toJS() ?? {}, given, dirname(path));
  // The schema says what is wrong with a file that holds something else than settings.
  if (isTree(tree)) for (const override of given) if (override.path.at(-1) !== "extends") assign(tree, override);
  const place = (keys: readonly PropertyKey[]): string => {
    const override = given.find((one) => isWithin(keys, one.path));
    return override
      ? "command line:"
      : placeIn(keys, [
          { at: [], document, lines, name: file, hasLines: !isCodeConfig(path) },
          ...presets.map(({ at, preset }) => ({ at, ...preset, hasLines: true })),
        ]);
  };
  const parsed = schema.safeParse(tree);
  if (!parsed.success)
    throw errors.configNotValid({ problems: describeProblems(parsed.error, { schema, value: tree, place }) });
  const origins = new Map<string, Origin>();
  for (const keys of leaves(parsed.data)) {
    const isGiven = given.some((one) => isWithin(keys, one.path));
    const node = document.getIn(keys, true);
    const from = presets.find(({ at, preset }) => isWithin(keys, at) && has(preset.document, keys.slice(at.length)));
    const origin =
      node !== undefined
        ? isCodeConfig(path)
          ? file
          : `${file}:${lineOf(document, lines, keys)}`
        : from
          ? `${from.preset.name}:${lineOf(from.preset.document, from.preset.lines, keys.slice(from.at.length))}`
          : "default";
    // A list is one value here, and a setting of the command line may have changed a part of it.
    const isChanged = given.some((one) => one.path.length > keys.length && isWithin(one.path, keys));
    origins.set(keys.join("."), isGiven ? "command line" : isChanged ? `${origin}, command line` : origin);
  }
  return { config: parsed.data, baseDirectory: dirname(path), origins, place };
}

/** Lays settings over the presets that they, or the command line, name under `extends`. */
function withPresets(
  tree: unknown,
  given: readonly Override[],
  baseDirectory: string,
): { readonly tree: unknown; readonly presets: readonly LaidPreset[] } {
  if (!isTree(tree)) return { tree, presets: [] };
  const lay = (own: Tree, at: readonly string[]): { readonly laid: Tree; readonly presets: readonly LaidPreset[] } => {
    const { extends: written, ...rest } = own;
    const asked = given.findLast(({ path }) => path.join(".") === [...at, "extends"].join("."))?.value ?? written;
    if (asked === undefined) return { laid: own, presets: [] };
    const preset = readPreset(String(asked), baseDirectory);
    // Two objects give an object.
    return { laid: overlay(preset.settings, rest) as Tree, presets: [{ at, preset }] };
  };
  if (!isTree(tree["base"])) {
    const { laid, presets } = lay(tree, []);
    return { tree: laid, presets };
  }
  const { laid, presets } = lay(tree["base"], ["base"]);
  return { tree: { ...tree, base: laid }, presets };
}

function has(document: Document, path: readonly string[]): boolean {
  return document.getIn(path, true) !== undefined;
}

function parseOverride(text: string): Override {
  const equals = text.indexOf("=");
  if (equals <= 0) throw errors.overrideNotValid({ text, problem: 'it has no "="' });
  const value = parseDocument(text.slice(equals + 1), { prettyErrors: false });
  const syntax = value.errors[0];
  if (syntax) throw errors.overrideNotValid({ text, problem: syntax.message }, syntax);
  const path = text.slice(0, equals).split(".");
  const inherited = path.find((key) => key in Object.prototype);
  if (inherited !== undefined) throw errors.overrideNotValid({ text, problem: `"${inherited}" cannot be a setting` });
  return { path, value: value.toJS() };
}

function assign(tree: Tree, { path, value }: Override): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    // Anything else than an object or a list is replaced: the schema then says what is wanted there.
    at = isTree(next) || Array.isArray(next) ? (next as Tree) : (at[key] = {});
  }
  at[path.at(-1) ?? ""] = value;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWithin(path: readonly PropertyKey[], outer: readonly string[]): boolean {
  return outer.every((key, index) => String(path[index]) === key);
}

/** A text that settings stand in, from a path on. */
interface SettingsText {
  readonly at: readonly string[];
  readonly document: Document;
  readonly lines: LineCounter;
  readonly name: string;
  readonly hasLines: boolean;
}

/** Where a path, or the nearest part of it, stands in the first of several texts that has it. */
function placeIn(path: readonly PropertyKey[], texts: readonly SettingsText[]): string {
  for (let length = path.length; length > 0; length--) {
    for (const { at, document, lines, name, hasLines } of texts) {
      const part = path.slice(0, length);
      if (!isWithin(part, at) || part.length <= at.length) continue;
      const offset = offsetOf(document, part.slice(at.length));
      if (offset !== undefined) return hasLines ? `${name}:${positionOf(lines, offset)}` : name;
    }
  }
  return texts[0]?.hasLines ? `${texts[0].name}:1:1` : (texts[0]?.name ?? "");
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
