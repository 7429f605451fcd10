import type { Clock } from "../actors/clock.js";
import { errors } from "../errors.js";
import type { TroupeError } from "../error-catalogue.js";
import type { Judge, JudgeOptions } from "../environments/judge.js";
import type { Verdict } from "../records/verdict.js";
import type { OpenJudge } from "./open-judge.js";

/** A verdict on one line's case, or why the line is no case. */
export type LineVerdict =
  | { readonly id: string | number; readonly verdict: Verdict }
  | { readonly line: number; readonly error: TroupeError };

/**
 * Judges a stream of lines, each a JSON object with an `id` and the fields of a case, in their order. A line without an
 * id goes by its number. A malformed line gets its error and loses nothing else.
 *
 * Reads no further ahead than keeps the judge busy, so that memory does not grow with the stream.
 *
 * @param source names the stream in errors
 */
export async function* judgeLines(
  { judge, caseSchema }: Pick<OpenJudge, "judge" | "caseSchema">,
  lines: AsyncIterable<{ readonly number: number; readonly text: string }>,
  { source, clock, ...options }: JudgeOptions & { readonly source: string; readonly clock: Clock },
): AsyncGenerator<LineVerdict, void> {
  const underWay: Promise<LineVerdict>[] = [];
  for await (const { number, text } of lines) {
    const one = readCase(text, caseSchema);
    underWay.push(
      typeof one === "string"
        ? Promise.resolve({ line: number, error: errors.caseNotValid({ source, line: number, problem: one }) })
        : judged(judge, one.case, options, clock).then((verdict) => ({ id: one.id ?? number, verdict })),
    );
    const first = underWay.length >= judge.atOnce ? underWay.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const rest of underWay) yield await rest;
}

/** A verdict with the time that it took, waiting for a place in the judge included. */
export async function judged(judge: Judge, one: unknown, options: JudgeOptions, clock: Clock): Promise<Verdict> {
  const start = clock.now();
  const verdict = await judge.judge(one, options);
  return { ...verdict, ms: Math.round(1000 * (clock.now() - start)) / 1000 };
}

/** The case in a line, or what is wrong with the line. */
function readCase(
  text: string,
  caseSchema: OpenJudge["caseSchema"],
): { readonly id?: string | number; readonly case: unknown } | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "the line is no JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "the line is no JSON object";
  // A JSON object is a record of unknown values.
  const { id, ...fields } = value as Readonly<Record<string, unknown>>;
  if (id !== undefined && typeof id !== "string" && typeof id !== "number")
    return `field "id" is ${id === null ? "null" : typeof id}, wanted is text or a number`;
  const parsed = caseSchema.safeParse(fields);
  if (!parsed.success)
    return parsed.error.issues
      .map(({ path, message }) => `${path.length === 0 ? "" : `field "${path.join(".")}": `}${message}`)
      .join("; ");
  return { ...(id === undefined ? {} : { id }), case: parsed.data };
}
