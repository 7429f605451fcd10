import type { Trajectory } from "./trajectory.js";

const OPEN = "<think>";
const CLOSE = "</think>";

/** A response seen as thinking and answer. */
export interface ThinkBlock {
  /** What the policy itself wrote inside its thinking block; "" when the prompt had closed it. */
  readonly thinking: string;
  /** What follows the block; undefined when the block was never closed. */
  readonly answer: string | undefined;
}

/**
 * Splits a response at its thinking block. Whether the block is open is a property of prompt and response together:
 * a prefix that ends in `<think>\n` opens it, one that ends in `</think>\n\n` has closed it, and without either the
 * response may open one itself.
 */
export function splitThinking(trajectory: Pick<Trajectory, "assistantPrefix" | "responseText">): ThinkBlock {
  const { assistantPrefix: prefix, responseText: response } = trajectory;
  const openedByPrefix = prefix.lastIndexOf(OPEN) > prefix.lastIndexOf(CLOSE);
  const opening = response.indexOf(OPEN);
  if (!openedByPrefix && (prefix.includes(CLOSE) || opening < 0)) return { thinking: "", answer: response };
  const start = openedByPrefix ? 0 : opening + OPEN.length;
  const end = response.indexOf(CLOSE, start);
  if (end < 0) return { thinking: response.slice(start), answer: undefined };
  return { thinking: response.slice(start, end), answer: response.slice(end + CLOSE.length) };
}

/** Whether the policy thought: its thinking block holds more than white space. */
export function hasThought(trajectory: Pick<Trajectory, "assistantPrefix" | "responseText">): boolean {
  return splitThinking(trajectory).thinking.trim() !== "";
}
