import type { Task, Trajectory, Verdict, Verifier } from "@troupe/core/sdk";
import { extractAnswer } from "../math/extract-answer.js";

/** Characters of an answer that are read; no right one comes near. It also bounds the depth of what is parsed. */
const MAX_ANSWER = 400;
/** Characters of an answer that a verdict quotes. */
const MAX_QUOTE = 40;

/** What an answer is worth, and why. */
export interface Finding {
  readonly isRight: boolean;
  /** Stable reason, with its particulars after a colon. */
  readonly reason: string;
}

/** The finding for a right answer. */
export const EQUAL: Finding = { isRight: true, reason: "equal" };

/** The finding for a wrong answer. */
export function wrong(reason: string): Finding {
  return { isRight: false, reason };
}

/** The beginning of a text, for a reason. */
export function quote(text: string): string {
  return text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text;
}

/**
 * A verifier of the last box after the think block, which the prompt may have closed; boxes inside it never count.
 *
 * pass or fail; error, `unusable-reference`, only where `judgeOf` cannot use the task. Beside the judge's own reasons, a
 * fail has no-think-close, no-box, empty-box, unbalanced-braces or too-long; `parts.answer` is what the box holds.
 *
 * @param judgeOf how answers to a task are judged; undefined where its reference cannot be used. Neither ever throws.
 */
export function boxedVerifier(
  name: string,
  version: string,
  judgeOf: (task: Task) => ((answer: string) => Finding) | undefined,
): Verifier {
  const judge = (
    task: Task,
    { assistantPrefix, responseText }: Trajectory,
  ): Pick<Verdict, "kind" | "score" | "reason" | "parts"> => {
    const judgeAnswer = task.reference.length > MAX_ANSWER ? undefined : judgeOf(task);
    if (judgeAnswer === undefined)
      return { kind: "error", reason: `unusable-reference: task "${task.id}" has "${quote(task.reference)}"` };
    const extraction = extractAnswer({ assistantPrefix, response: responseText });
    if (extraction.answer === undefined) return failed(extraction.reason);
    const { answer } = extraction;
    if (answer.length > MAX_ANSWER)
      return failed(`too-long: ${answer.length} characters, at most ${MAX_ANSWER} are read`, quote(answer));
    const { isRight, reason } = judgeAnswer(answer);
    return isRight ? { kind: "pass", score: 1, reason, parts: { answer } } : failed(reason, answer);
  };
  // The verifier actor measures the time.
  return {
    name,
    version,
    verify: (task, trajectory) => ({ ...judge(task, trajectory), verifier: name, version, ms: 0 }),
  };
}

function failed(reason: string, answer?: string) {
  return { kind: "fail", score: 0, reason, ...(answer === undefined ? {} : { parts: { answer } }) } as const;
}
