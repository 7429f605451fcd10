import { splitThinking, type Trajectory } from "@troupe/core/sdk";
import type { Language } from "./sandbox.js";

/** A program as it stands in a response, or why there is none. */
export type ExtractedProgram =
  | { readonly program: string }
  | { readonly program: undefined; readonly reason: "no-think-close" | "no-code-block" | "empty-code-block" };

/** What a fence may say for each language; a fence without a word fits both. */
const WORDS: Readonly<Record<Language, readonly string[]>> = {
  python: ["", "python", "python3", "py", "py3"],
  javascript: ["", "javascript", "js", "node", "mjs", "cjs", "typescript", "ts"],
};

/**
 * The last fenced block after the think block, in the task's language or in none that it names. A block that is never
 * closed does not count: the response was cut.
 *
 * Source: AceReason (arXiv:2505.16400) for the place; which of several blocks is ours.
 *
 * @example
 * extractProgram({ assistantPrefix: "", responseText: "So:\n```python\nprint(1)\n```" }, "python"); // { program: "print(1)\n" }
 */
export function extractProgram(
  trajectory: Pick<Trajectory, "assistantPrefix" | "responseText">,
  language: Language,
): ExtractedProgram {
  const { answer } = splitThinking(trajectory);
  if (answer === undefined) return { program: undefined, reason: "no-think-close" };
  const block = blocksOf(answer).findLast(({ word }) => WORDS[language].includes(word));
  if (block === undefined) return { program: undefined, reason: "no-code-block" };
  if (block.text.trim() === "") return { program: undefined, reason: "empty-code-block" };
  return { program: block.text };
}

interface Block {
  readonly word: string;
  readonly text: string;
}

/** Fences pair up line by line: a fence inside a longer one is text. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: { readonly fence: string; readonly word: string; readonly lines: string[] } | undefined;
  for (const line of text.split(/\r?\n/)) {
    const mark = /^\s*(`{3,}|~{3,})\s*([\w+#.-]*)/.exec(line);
    const [, fence = "", word = ""] = mark ?? [];
    if (open === undefined) {
      if (fence !== "") open = { fence, word: word.toLowerCase(), lines: [] };
    } else if (fence.startsWith(open.fence) && word === "") {
      blocks.push({ word: open.word, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else open.lines.push(line);
  }
  return blocks;
}
