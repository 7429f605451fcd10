/** An opened think block with an ellipsis: the policy may close it at once or go on reasoning. Three ASCII dots. */
export const ELLIPSIS = "<think>\n...\n";

/**
 * Puts the ellipsis on an assistant prefix. A think block that the template opened, or left empty, is replaced; what
 * stands before it stays as the tokenizer's own template made it. Idempotent.
 *
 * Source: AutoThink (arXiv:2505.10832).
 *
 * @example
 * withEllipsis("<|im_start|>assistant\n<think>\n"); // "<|im_start|>assistant\n<think>\n...\n"
 */
export function withEllipsis(assistantPrefix: string): string {
  if (assistantPrefix.endsWith(ELLIPSIS)) return assistantPrefix;
  return assistantPrefix.replace(/<think>\s*(<\/think>\s*)?$/, "") + ELLIPSIS;
}
