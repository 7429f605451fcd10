import type { JsonObject } from "../records/json.js";

/** One row of a data set on its way through curation; a field that a stage adds stays with it. */
export interface DataRow {
  /** Line in the input file, from 1. */
  readonly number: number;
  readonly id: string;
  readonly value: JsonObject;
  /** Answers to this row, for the stages that judge them. */
  readonly rollouts?: readonly DataRollout[];
}

/** One answer to a row, by whatever policy. */
export interface DataRollout {
  readonly response: string;
  /** Length of the response, in tokens. */
  readonly tokens?: number;
}

/** What a stage decides about a row. */
export type Decision =
  | { readonly keep: true; readonly add?: JsonObject }
  /** `reason` is short, stable kebab-case: rows are counted by it. `found` is what the row has that decided. */
  | { readonly keep: false; readonly reason: string; readonly found?: string };

/** Decides about rows, one after the other. The same row gets the same decision on any thread. */
export interface RowStage {
  /** How many rows at once keep it busy; 1 unless given. More than 1 and it has its own workers: one thread will do. */
  readonly atOnce?: number;
  decide(row: DataRow): Decision | Promise<Decision>;
  close?(): Promise<void>;
}

export const KEEP: Decision = { keep: true };

export function drop(reason: string, found?: string): Decision {
  return { keep: false, reason, ...(found === undefined ? {} : { found: found.slice(0, 200) }) };
}

/** A field by its path, "difficulty.passes"; undefined where any part is missing. */
export function valueAt(row: JsonObject, path: string): unknown {
  let at: unknown = row;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null || Array.isArray(at)) return undefined;
    at = Object.entries(at).find(([name]) => name === key)?.[1];
  }
  return at;
}

/** A text or number field as text; undefined for all else and for blank text. */
export function textAt(row: JsonObject, path: string): string | undefined {
  const value = valueAt(row, path);
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text.trim() !== "" ? text : undefined;
}
