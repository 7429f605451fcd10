/** Where an answer may stand. */
export interface ExtractionOptions {
  /** "boxed": in the last box. "boxed-or-phrase": without a box also after "####", "the answer is" or "answer:". */
  readonly mode: "boxed" | "boxed-or-phrase";
  /** "by-tags": a `</think>` is due when a `<think>` was opened. "required": it is due always. */
  readonly thinking: "by-tags" | "required";
}

export const STRICT_EXTRACTION: ExtractionOptions = { mode: "boxed", thinking: "by-tags" };

/** Why a response holds no answer. */
export type NoAnswer = "no-think-close" | "no-box" | "no-answer-phrase" | "empty-box" | "unbalanced-braces";

/** Where an answer stood; "caller" when it was handed over alone. */
export type AnswerPlace = "box" | "phrase" | "caller";

export type Extraction =
  | { readonly answer: string; readonly from: AnswerPlace }
  | { readonly answer: undefined; readonly reason: NoAnswer };

/** What the assistant's turn already held, and what the policy added to it; special tokens kept in both. */
export interface AssistantText {
  readonly assistantPrefix: string;
  readonly response: string;
}

/**
 * The final answer of a response, as it is written there.
 *
 * Whether thinking is open is a property of prefix and response together, so that a prompt which closes the think block
 * (TFPI) needs no tag from the policy, and one which opens it does. The answer is looked for between the first and the
 * second `</think>` of the two; what is boxed in the reasoning, or in a think block opened again, never counts.
 *
 * Sources: AutoThink (arXiv:2505.10832) and AceReason (arXiv:2505.16400) for the place, TFPI (arXiv:2509.26226) for the prefix.
 *
 * @example
 * extractAnswer({ assistantPrefix: "<think>\n", response: "\\boxed{3}</think> so \\boxed{4}" }); // { answer: "4", from: "box" }
 */
export function extractAnswer(text: AssistantText, options: ExtractionOptions = STRICT_EXTRACTION): Extraction {
  const region = answerRegion(text, options.thinking);
  if (region === undefined) return { answer: undefined, reason: "no-think-close" };
  const boxed = lastBox(region);
  if (boxed.answer !== undefined || boxed.reason !== "no-box" || options.mode === "boxed") return boxed;
  const phrase = lastPhrase(region);
  return phrase === undefined ? { answer: undefined, reason: "no-answer-phrase" } : { answer: phrase, from: "phrase" };
}

/** The part of the response where an answer counts; undefined where thinking never ended. */
function answerRegion(
  { assistantPrefix, response }: AssistantText,
  thinking: ExtractionOptions["thinking"],
): string | undefined {
  const isClosedByPrefix = assistantPrefix.includes("</think>") && !isReopened(assistantPrefix);
  const close = response.indexOf("</think>");
  const isDue = thinking === "required" || assistantPrefix.includes("<think>") || response.includes("<think>");
  if (!isClosedByPrefix && close < 0 && isDue) return undefined;
  const start = isClosedByPrefix || close < 0 ? 0 : close + "</think>".length;
  const answer = response.slice(start);
  const end = answer.search(/<\/?think>/);
  return end < 0 ? answer : answer.slice(0, end);
}

function isReopened(prefix: string): boolean {
  return prefix.lastIndexOf("<think>") > prefix.lastIndexOf("</think>");
}

function lastBox(region: string): Extraction {
  let start = -1;
  for (const command of ["\\boxed", "\\fbox"]) {
    // \boxedtext is another command.
    for (let at = region.lastIndexOf(command); at > start; at = region.lastIndexOf(command, at - 1)) {
      if (/[A-Za-z]/.test(region.charAt(at + command.length))) {
        if (at === 0) break;
        continue;
      }
      start = at;
    }
  }
  if (start < 0) return { answer: undefined, reason: "no-box" };
  const content = region.slice(start).replace(/^\\[a-z]+\s*/, "");
  const answer = content.startsWith("{")
    ? bracedContent(content)
    : content.split(/[\s$]/, 1)[0]?.replace(/[.,;:]+$/, "");
  if (answer === undefined) return { answer: undefined, reason: "unbalanced-braces" };
  return answer.trim() === "" ? { answer: undefined, reason: "empty-box" } : { answer: answer.trim(), from: "box" };
}

/** What stands between the brace at the start and its partner; an escaped brace is a character like any other. */
function bracedContent(text: string): string | undefined {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/\\[\s\S]|[{}]/g)) {
    if (mark === "{") depth++;
    else if (mark === "}" && --depth === 0) return text.slice(1, index);
  }
  return undefined;
}

const PHRASE = /####|\banswer\s*(?:is|=|:)\s*:?|\banswer\*\*\s*:?/gi;

/** What follows the last answer phrase: a formula between delimiters, or the rest of its sentence. */
function lastPhrase(region: string): string | undefined {
  let end = -1;
  for (const match of region.matchAll(PHRASE)) end = match.index + match[0].length;
  if (end < 0) return undefined;
  const rest = region.slice(end).replace(/^[\s*:]+/, "");
  const delimited = /^(?:\$\$?([^$]+)\$|\\\(([\s\S]+?)\\\)|\\\[([\s\S]+?)\\\])/.exec(rest);
  const sentence =
    delimited?.[1] ??
    delimited?.[2] ??
    delimited?.[3] ??
    rest.split(/\n|<\||\.(?=\s|$)|\s(?:because|since|so)\s/, 1)[0];
  const answer = sentence
    ?.replace(/[\s*]+$/, "")
    .replace(/[.,;!]+$/, "")
    .trim();
  return answer === undefined || answer === "" ? undefined : answer;
}
