import type { Task, Trajectory, Verdict, Verifier } from "@troupe/core/sdk";
import { extractAnswer } from "../math/extract-answer.js";

const IDENTITY = { verifier: "arithmetic", version: "1.0.0" } as const;

/**
 * Checks the last box after the think block against the reference digit. The think block may have been closed by the
 * prompt; boxes inside it never count.
 *
 * pass or fail; error only where the task has no whole number as its reference. The reason of a fail is one of
 * no-think-close, no-box, empty-box, unbalanced-braces, unparsable, wrong-answer; `parts.answer` is what the box holds.
 */
export const arithmeticVerifier: Verifier = {
  name: IDENTITY.verifier,
  version: IDENTITY.version,
  // The verifier actor measures the time.
  verify: (task, trajectory) => ({ ...judge(task, trajectory), ...IDENTITY, ms: 0 }),
};

function judge(
  { id, reference }: Task,
  { assistantPrefix, responseText }: Trajectory,
): Pick<Verdict, "kind" | "score" | "reason" | "parts"> {
  if (!isWhole(reference)) return { kind: "error", reason: `unusable-reference: task "${id}" has "${reference}"` };
  const extraction = extractAnswer({ assistantPrefix, response: responseText });
  if (extraction.answer === undefined) return { kind: "fail", score: 0, reason: extraction.reason };
  const { answer } = extraction;
  const parts = { answer };
  if (!isWhole(answer)) return { kind: "fail", score: 0, reason: `unparsable: found "${answer.slice(0, 40)}"`, parts };
  return Number(answer) === Number(reference)
    ? { kind: "pass", score: 1, reason: "equal", parts }
    : { kind: "fail", score: 0, reason: `wrong-answer: got ${answer.slice(0, 40)}, want ${reference}`, parts };
}

function isWhole(text: string): boolean {
  return /^-?\d+$/.test(text);
}
