import type { Verdict } from "@troupe/core/sdk";

/** One number as a person would write a result: digits, thousands separators, a decimal point, a sign. */
const NUMBER = /^[-+−]?\s*\d[\d,]*(?:\.\d+)?$/;

/**
 * Fails a right answer that is not evaluated. Where the task is a calculation, "15*2" equals the reference "30", but it
 * only repeats the question.
 *
 * @example
 * const parts = { answer: "15*2" };
 * evaluatedOnly({ kind: "pass", score: 1, reason: "equal", parts, verifier: "math", version: "1", ms: 0 }).reason;
 * // "not-evaluated: got 15*2"
 */
export function evaluatedOnly(verdict: Verdict): Verdict {
  const answer = String(verdict.parts?.["answer"] ?? "").trim();
  if (verdict.kind !== "pass" || NUMBER.test(answer)) return verdict;
  return { ...verdict, kind: "fail", score: 0, reason: `not-evaluated: got ${answer}` };
}
