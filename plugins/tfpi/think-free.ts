/** An empty think block, closed: what a thinking-free prompt ends in. */
export const CLOSED_BLOCK = "<think>\n\n</think>\n\n";

/** "normalize" gives one block whatever the template opened; "literal" appends without looking. */
export type ThinkFreeTemplate = "normalize" | "literal";

/**
 * Turns a prompt into its thinking-free form: the assistant's turn already holds an empty, closed think block.
 *
 *     x' = x + "<think>\n\n</think>\n\n"
 *
 * "normalize" returns a prompt that ends in the block unchanged and takes off one trailing `<think>` with its
 * whitespace first, so templates that open the tag do not end up with two. Source: TFPI (arXiv:2509.26226); "literal" is
 * the line of the authors' repository.
 *
 * @param text a whole rendered prompt with its generation prompt, or the assistant's prefix alone
 * @example
 * thinkFree("<|im_start|>assistant\n<think>\n", "normalize"); // "<|im_start|>assistant\n<think>\n\n</think>\n\n"
 */
export function thinkFree(text: string, template: ThinkFreeTemplate): string {
  if (template === "literal") return text + CLOSED_BLOCK;
  if (text.endsWith(CLOSED_BLOCK)) return text;
  return text.replace(/<think>\s*$/, "") + CLOSED_BLOCK;
}

/** Whether an assistant prefix opens a think block twice, a prompt that no policy was trained on. */
export function opensTwice(assistantPrefix: string): boolean {
  return assistantPrefix.split("<think>").length > 2;
}
