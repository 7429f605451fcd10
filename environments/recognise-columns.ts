import { TroupeError } from "@troupe/core/sdk";
import { readRows } from "./math/read-rows.js";

/** The two columns that a file of tasks must have, and how to tell a row that can be used. */
export interface ColumnSearch {
  /** Likely names, the likeliest first. */
  readonly task: readonly string[];
  readonly truth: readonly string[];
  /** What else is read of a row. */
  readonly others: readonly string[];
  /** What a row is, or the error that says why it cannot be used. */
  read(row: unknown, number: number, columns: Columns): unknown;
}

/** Names of the two columns. */
export interface Columns {
  readonly task: string;
  readonly truth: string;
}

/** What was found of the columns of a file. */
export interface FoundColumns extends Columns {
  readonly looked: number;
  readonly usable: number;
  /** Why the first row that cannot be used cannot. */
  readonly problem?: string;
  /** Whether the first row has a column. */
  has(name: string): boolean;
}

/** Rows that are looked at. */
const ROWS = 50;

/**
 * Which two columns of a file hold tasks and what they are judged by: of all pairs of likely names the first with which
 * most rows can be used.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function recogniseColumns(path: string, search: ColumnSearch): Promise<FoundColumns> {
  const rows: unknown[] = [];
  for await (const { value } of readRows(path, [...search.task, ...search.truth, ...search.others])) {
    rows.push(value);
    if (rows.length === ROWS) break;
  }
  const [row] = rows;
  const has = (name: string): boolean => typeof row === "object" && row !== null && name in row;
  const pairs = search.task
    .filter(has)
    .flatMap((task) => search.truth.filter(has).map((truth): Columns => ({ task, truth })));
  const fallback = { task: search.task[0] ?? "", truth: search.truth[0] ?? "" };
  const tried = (pairs.length > 0 ? pairs : [fallback]).map((columns): FoundColumns => {
    const found = rows.map((one, index) => search.read(one, index + 1, columns));
    const bad = found.filter((one) => one instanceof TroupeError);
    const usable = found.length - bad.length;
    return {
      ...columns,
      looked: rows.length,
      usable,
      has,
      ...(bad[0] === undefined ? {} : { problem: bad[0].message }),
    };
  });
  return tried.reduce((best, one) => (one.usable > best.usable ? one : best));
}
