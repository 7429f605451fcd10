import { splitThinking, type Trajectory } from "@troupe/core/sdk";

/** The boxed prediction of a response, byte for byte, or why there is none. */
export type Prediction = { readonly text: string } | { readonly text: undefined; readonly reason: string };

/**
 * What the last box after the think block holds, verbatim: a leading space is part of a token. Boxes inside the thinking
 * do not count.
 *
 * Reasons: `no-think-close`, `no-box`, `unbalanced-braces`.
 */
export function predictionOf(trajectory: Pick<Trajectory, "assistantPrefix" | "responseText">): Prediction {
  const { answer } = splitThinking(trajectory);
  if (answer === undefined) return { text: undefined, reason: "no-think-close" };
  const open = answer.lastIndexOf(BOX);
  if (open < 0) return { text: undefined, reason: "no-box" };
  const text = untilPartner(answer.slice(open + BOX.length));
  return text === undefined ? { text, reason: "unbalanced-braces" } : { text };
}

/** Whether a box can hold a text and give it back: not where its own braces do not match. */
export function canBeBoxed(text: string): boolean {
  return !text.includes(BOX) && untilPartner(`${text}}`) === text;
}

/** What stands before the brace that closes the box; an escaped brace is a character like any other. */
function untilPartner(text: string): string | undefined {
  let depth = 1;
  for (const { 0: mark, index } of text.matchAll(/\\[{}\\]|[{}]/g)) {
    if (mark === "{") depth++;
    else if (mark === "}" && --depth === 0) return text.slice(0, index);
  }
  return undefined;
}

const BOX = "\\boxed{";

/**
 * Compares a prediction with the true continuation, byte for byte.
 *
 *     exact    y = the next token                                                     RMT
 *     prefix   y = the first |y| bytes of the continuation, and |y| ends a token      RPT, prefix matching
 *
 * Sources: RMT (arXiv:2509.24375), RPT (arXiv:2506.08007).
 *
 * @param ends_K where the next K tokens of the continuation end, in bytes from its beginning
 */
export function matches(
  prediction: string,
  continuation: Uint8Array,
  ends_K: readonly number[],
): { readonly exact: 0 | 1; readonly prefix: 0 | 1 } {
  const bytes = Buffer.from(prediction);
  const isPrefix =
    ends_K.includes(bytes.length) && bytes.equals(continuation.subarray(0, bytes.length)) && bytes.length > 0;
  return { exact: isPrefix && bytes.length === ends_K[0] ? 1 : 0, prefix: isPrefix ? 1 : 0 };
}
