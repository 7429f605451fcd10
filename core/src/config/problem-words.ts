import { z } from "zod";
import { nearest } from "./nearest.js";

/** zod's own wording, to tell it from what a schema says in words of its own. */
const { localeError } = z.locales.en();

/**
 * What is wrong with a value, as people say it: what was found, and what is wanted.
 *
 * @param found the value that was checked, or undefined where there is none
 * @returns the schema's own words where it has some, else as in `"fast" was found, a number is wanted`
 */
export function problemWords(issue: z.core.$ZodIssue, found: unknown): string {
  if (issue.code === "unrecognized_keys") return `unknown ${issue.keys.map((key) => `"${key}"`).join(", ")}`;
  // A raw issue is a told one with its input; the types of the input by kind of issue are all that tells them apart.
  const words = localeError({ ...issue, input: found } as Parameters<typeof localeError>[0]);
  const isOwn = issue.message !== (typeof words === "string" ? words : words?.message);
  const wanted = isOwn ? undefined : wantedBy(issue);
  if (wanted === undefined) return issue.message;
  return found === undefined ? `missing, ${wanted} is wanted` : `${shown(found)} was found, ${wanted} is wanted`;
}

/** What the check wants, or undefined where zod's words say it best. */
function wantedBy(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return NOUNS[issue.expected] ?? issue.expected;
    case "too_small":
      return bound(issue.origin, issue.inclusive === false ? "more than" : "at least", issue.minimum);
    case "too_big":
      return bound(issue.origin, issue.inclusive === false ? "less than" : "at most", issue.maximum);
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_value": {
      const words = issue.values.map((value) => (typeof value === "string" ? `"${value}"` : String(value)));
      return words.length > 1 ? `one of ${words.join(", ")}` : words[0];
    }
    case "invalid_union": {
      const forms = issue.errors.map((form) => (form[0] ? wantedBy(form[0]) : undefined));
      return forms.every((form) => form !== undefined) && forms.length > 0
        ? [...new Set(forms)].join(" or ")
        : undefined;
    }
    default:
      return undefined;
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  null: "null",
};

/** What has a size: a number itself, or something that is counted. */
function bound(origin: string, relation: string, limit: number | bigint): string {
  const unit = { string: limit === 1 ? " character" : " characters", array: limit === 1 ? " entry" : " entries" }[
    origin
  ];
  return `${relation} ${limit}${unit ?? ""}`;
}

/** Of what was found, as much as fits into a line. */
function shown(found: unknown): string {
  const text = typeof found === "number" ? String(found) : (JSON.stringify(found) ?? String(found));
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** The value at a path, or undefined. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let at = root;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    // Whatever stands there is unknown again.
    at = (at as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return at;
}

/** The known word that is meant, or all of them. */
export function knownInstead(word: string, known: readonly string[]): string {
  const guess = nearest(word, known);
  if (guess !== undefined) return `: did you mean "${guess}"?`;
  return known.length > 0 ? `; known keys are ${known.join(", ")}` : "";
}
