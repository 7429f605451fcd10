import type { z } from "zod";
import { knownInstead, problemWords, valueAt } from "./problem-words.js";

/** What a check of a config is about. */
export interface ProblemSource {
  readonly schema: z.ZodType;
  /** What was checked. */
  readonly value: unknown;
  /** Where the config has this path, before what is said of it: `file:line:column`, or `command line:`. */
  readonly place: (path: readonly PropertyKey[]) => string;
  /** What the whole is called; "the config" unless given. */
  readonly name?: string;
  /** Path of what was checked, where that is a part of the config; its problems are told by whole paths. */
  readonly under?: readonly string[];
}

/** One line per problem: place, path, what is wrong; an unknown key with the nearest known one. */
export function describeProblems(error: z.ZodError, source: ProblemSource): readonly string[] {
  return error.issues.flatMap((issue) => describe(issue, issue.path, source));
}

function describe(issue: z.core.$ZodIssue, path: readonly PropertyKey[], source: ProblemSource): readonly string[] {
  const whole = [...(source.under ?? []), ...path];
  const where = whole.join(".") || (source.name ?? "the config");
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(source.schema, path);
    return issue.keys.map((key) =>
      `${source.place([...whole, key])} unknown key "${key}" in ${where}${knownInstead(key, known)}`.trimStart(),
    );
  }
  // Of several allowed forms, the one that was meant has the right type and is wrong further down.
  const meant =
    issue.code === "invalid_union"
      ? issue.errors.find((form) => form.every((one) => one.path.length > 0 || one.code === "unrecognized_keys"))
      : undefined;
  if (meant) return meant.flatMap((inner) => describe(inner, [...path, ...inner.path], source));
  return [`${source.place(whole)} ${where}: ${problemWords(issue, valueAt(source.value, path))}`.trimStart()];
}

/** What is read of zod's schemas; anything else ends the search. */
interface SchemaParts {
  readonly shape?: Readonly<Record<string, SchemaParts>>;
  readonly def?: {
    readonly innerType?: SchemaParts;
    readonly element?: SchemaParts;
    readonly options?: readonly SchemaParts[];
  };
}

/** Keys that a schema knows at a path. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  // Every part is optional, so any schema has the type.
  let at: SchemaParts | undefined = schema as SchemaParts;
  for (const key of path) {
    const form = formOf(at);
    at = form?.def?.element ?? form?.shape?.[String(key)];
  }
  return Object.keys(formOf(at)?.shape ?? {});
}

/** Looks through optional and defaulted layers; of several forms, gives the one with keys. */
function formOf(schema: SchemaParts | undefined): SchemaParts | undefined {
  if (schema?.def?.innerType) return formOf(schema.def.innerType);
  return schema?.def?.options?.map(formOf).find((form) => form?.shape !== undefined) ?? schema;
}
