import { ELLIPSIS } from "./ellipsis.js";

/** "authors": the tag and two newlines. "lenient": any closing tag with nothing but whitespace before it. */
export type Detection = "authors" | "lenient";

const CLOSE = "</think>";
const CLOSED_AT_ONCE = `${CLOSE}\n\n`;

/**
 * Whether a response reasons before it answers.
 *
 *     think = false  iff  text contains "<think>\n...\n</think>\n\n"  or the response starts with "</think>\n\n"
 *
 * Under the authors' rule one newline after the tag counts as thinking. What follows the tag is not looked at, so long
 * reasoning after it counts as no thinking; the lengths per mode tell. Source: code of AutoThink (arXiv:2505.10832).
 *
 * @param assistantPrefix what the assistant's turn held before the response
 * @param responseText with special tokens kept and nothing stripped
 */
export function isThinking(assistantPrefix: string, responseText: string, detection: Detection): boolean {
  if (detection === "lenient") {
    return splitResponse(assistantPrefix, responseText).thought.replace("...", "").trim() !== "";
  }
  return !responseText.startsWith(CLOSED_AT_ONCE) && !(assistantPrefix + responseText).includes(ELLIPSIS + CLOSED_AT_ONCE);
}

/** A response cut at the first closing tag of prefix and response together. */
export interface SplitResponse {
  /** The think block, what the prefix holds of it included. */
  readonly thought: string;
  /** What follows the tag; empty when it never comes. */
  readonly answer: string;
  /** The response's own part of the think block, its closing tag included. */
  readonly responseThought: string;
}

/** Splits a response into thought and answer; a block that the prefix closed leaves it all answer. */
export function splitResponse(assistantPrefix: string, responseText: string): SplitResponse {
  const open = assistantPrefix.lastIndexOf("<think>");
  const start = open < 0 ? assistantPrefix.length : open + "<think>".length;
  const text = assistantPrefix + responseText;
  const close = text.indexOf(CLOSE, start);
  const end = close < 0 ? text.length : close;
  const answerStart = close < 0 ? text.length : Math.max(assistantPrefix.length, close + CLOSE.length);
  return {
    thought: text.slice(start, end),
    answer: text.slice(answerStart),
    responseThought: text.slice(assistantPrefix.length, answerStart),
  };
}
