import { TroupeError } from "@troupe/core/sdk";
import { basename } from "node:path";
import { errors } from "../errors.js";
import { extractAnswer } from "./extract-answer.js";
import { parseExpression } from "./parse-expression.js";
import { readRows, type Span } from "./read-rows.js";
import type { Settings } from "./settings.js";
import { WorkBudget } from "./work-budget.js";

/** A row that can be used. */
export interface Problem {
  readonly id: string;
  readonly problem: string;
  /** The final answer alone. */
  readonly answer: string;
  /** Single calculations of the solution, "48/2=24"; empty where the row states none. */
  readonly calculations: readonly string[];
  /** As the set states it, by number or as "Level 4". */
  readonly difficulty?: number;
}

/** A problem and where it stands. */
export interface LocatedProblem {
  readonly row: number;
  readonly problem: Problem;
  readonly span?: Span;
}

export type Fields = Settings["data"]["fields"];

/**
 * The problems of a file, one at a time, so that a file of any size is read in constant memory.
 *
 * @param onBadRow called for every row that cannot be used; throwing what it is given ends the reading
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function* readProblems(
  file: string,
  fields: Fields,
  onBadRow: (error: TroupeError) => void,
): AsyncGenerator<LocatedProblem> {
  let goodRows = 0;
  for await (const { number, value, span } of readRows(file, columnsOf(fields))) {
    const problem = problemOf(value, { file, row: number, goodRows }, fields);
    if (problem instanceof TroupeError) {
      onBadRow(problem);
      continue;
    }
    goodRows++;
    yield { row: number, problem, ...(span === undefined ? {} : { span }) };
  }
}

/** Where a row stands, for its error. */
export interface RowPlace {
  readonly file: string;
  readonly row: number;
  readonly goodRows: number;
}

/** The problem in a row, or PROBLEM_ROW_INVALID with the field that is wrong, what it holds, and what is wanted. */
export function problemOf(row: unknown, place: RowPlace, fields: Fields): Problem | TroupeError {
  const invalid = (field: string, found: string, wanted: string) => {
    const columns =
      found === "is missing" && typeof row === "object" && row !== null ? Object.keys(row).slice(0, 12) : [];
    const has = columns.length === 0 ? "" : ` (the row has ${columns.map((name) => `"${name}"`).join(", ")})`;
    return errors.problemRowInvalid({ ...place, field, found: found + has, wanted });
  };
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    return invalid(
      fields.problem ?? "problem",
      row === undefined ? "cannot be read, as the line is no JSON" : `cannot be read, as the row ${describe(row)}`,
      "a JSON object",
    );
  }
  // A JSON object is a record of unknown values.
  const record = row as Readonly<Record<string, unknown>>;
  const problemField =
    fields.problem ?? (record["problem"] === undefined && record["question"] !== undefined ? "question" : "problem");
  const problem = record[problemField];
  if (typeof problem !== "string" || problem.trim() === "") return invalid(problemField, describe(problem), "text");
  const answerField = fields.answer ?? "answer";
  const written = textOf(record[answerField]);
  if (written === undefined || written.trim() === "")
    return invalid(answerField, describe(record[answerField]), "text or a number");
  const answer = finalAnswer(written);
  if (answer === undefined) return invalid(answerField, `has nothing after "####" or in its box`, "a final answer");
  const unreadable = whyUnreadable(answer);
  if (unreadable !== undefined)
    return invalid(answerField, `is "${answer.slice(0, 60)}"`, `an answer that can be checked (${unreadable})`);
  const id = record[fields.id ?? "id"];
  const idText = id === undefined || id === null ? `${basename(place.file)}:${place.row}` : textOf(id);
  if (idText === undefined || idText === "") return invalid(fields.id ?? "id", describe(id), "text or a number");
  const difficulty = difficultyOf(record["level"] ?? record["difficulty"]);
  return {
    id: idText,
    problem,
    answer,
    calculations: calculationsOf(record[fields.calculations], written),
    ...(difficulty === undefined ? {} : { difficulty }),
  };
}

function columnsOf(fields: Fields): string[] {
  return [
    ...(fields.id === undefined ? ["id"] : [fields.id]),
    ...(fields.problem === undefined ? ["problem", "question"] : [fields.problem]),
    fields.answer ?? "answer",
    fields.calculations,
    "level",
    "difficulty",
  ];
}

/** Text of a text or a number; undefined for all else, and for numbers that JSON has rounded. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return String(value);
  return typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER
    ? String(value)
    : undefined;
}

function describe(value: unknown): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is null";
  if (typeof value === "string") return "is empty";
  if (typeof value === "number") return `is ${value}, which is not exact`;
  return Array.isArray(value) ? "is a list" : `is ${typeof value === "object" ? "an object" : `a ${typeof value}`}`;
}

/** Of a worked solution what follows its last "####", or its last box; undefined where that is empty. */
function finalAnswer(written: string): string | undefined {
  const mark = written.lastIndexOf("####");
  if (mark >= 0) return written.slice(mark + 4).trim() || undefined;
  if (!/\\(?:boxed|fbox)(?![A-Za-z])/.test(written)) return written.trim();
  return extractAnswer({ assistantPrefix: "", response: written }, { mode: "boxed", thinking: "by-tags" }).answer;
}

function whyUnreadable(answer: string): string | undefined {
  try {
    parseExpression(answer.replace(/[.\s]+$/, ""), new WorkBudget());
    return undefined;
  } catch (error) {
    if (error instanceof TroupeError) return error.message;
    throw error;
  }
}

function calculationsOf(listed: unknown, written: string): readonly string[] {
  if (Array.isArray(listed)) return listed.filter((one) => typeof one === "string");
  return [...written.matchAll(/<<([^<>]*)>>/g)].map((mark) => mark[1] ?? "");
}

function difficultyOf(level: unknown): number | undefined {
  const digits = typeof level === "string" ? /^(?:Level )?(\d+)$/i.exec(level)?.[1] : level;
  const difficulty = digits === undefined ? NaN : Number(digits);
  return Number.isFinite(difficulty) ? difficulty : undefined;
}
