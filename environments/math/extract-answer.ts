/** Where an answer may stand. */
export interface ExtractionOptions {
  /** "boxed": in the last box. "boxed-or-phrase": without a box also in `<answer>`, after "####", "the answer is" or "answer:". */
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
  /** `joined` has the boxes that the answer is the list of, where there are several. */
  | { readonly answer: string; readonly from: AnswerPlace; readonly joined?: readonly string[] }
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

interface Box {
  readonly start: number;
  /** Undefined where a brace is left open. */
  readonly content: string | undefined;
  readonly end: number;
}

/** What may stand between boxes that are one answer: "and", "or", a comma, and layout. */
const BETWEEN_BOXES = /^(?:[\s$,;]|\\(?:quad|qquad|ldots|[,;: ])|\\text\s*\{[\s,]*(?:and|or)[\s,]*\}|\b(?:and|or)\b)*$/;
/** Boxes joined at most; whoever writes more does not mean one list. */
const MAX_BOXES = 50;

/** The last box; with boxes right before it that only "and", "or" or a comma divides, the list of them. */
function lastBox(region: string): Extraction {
  let box = boxBefore(region, region.length);
  if (box === undefined) return { answer: undefined, reason: "no-box" };
  if (box.content === undefined) return { answer: undefined, reason: "unbalanced-braces" };
  if (box.content.trim() === "") return { answer: undefined, reason: "empty-box" };
  const contents = [box.content.trim()];
  while (contents.length < MAX_BOXES) {
    const before = boxBefore(region, box.start);
    const between = before === undefined ? "" : region.slice(before.end, box.start);
    const isJoined = between.length < 60 && /[,;]|and|or/.test(between) && BETWEEN_BOXES.test(between);
    if (before?.content === undefined || before.end > box.start || !isJoined) break;
    contents.unshift(before.content.trim());
    box = before;
  }
  const different = [...new Set(contents)];
  return { answer: different.join(", "), from: "box", ...(different.length > 1 ? { joined: different } : {}) };
}

/** The last box that begins before a place. */
function boxBefore(region: string, place: number): Box | undefined {
  // One scan for what both commands share: text without either is passed over once.
  for (let shared = region.lastIndexOf("box", place - 1); shared >= 0; shared = region.lastIndexOf("box", shared - 1)) {
    const at = shared - (region[shared - 1] === "f" ? 2 : 1);
    const command = /^\\(?:boxed|fbox)(?![A-Za-z])\s*/.exec(region.slice(Math.max(at, 0), at + 40));
    // \boxedtext is another command.
    if (command === null) {
      if (shared === 0) break;
      continue;
    }
    const open = at + command[0].length;
    if (region[open] !== "{") {
      const bare = /^[^\s$]*/.exec(region.slice(open, open + 4096))?.[0] ?? "";
      return { start: at, content: bare.replace(/[.,;:]+$/, ""), end: open + bare.length };
    }
    const content = bracedContent(region.slice(open));
    return { start: at, content, end: open + (content?.length ?? 0) + 2 };
  }
  return undefined;
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

/** What stands between the last pair of tags that some prompts ask for. */
function lastTagged(region: string): string | undefined {
  const end = region.lastIndexOf("</answer>");
  const start = end < 0 ? -1 : region.lastIndexOf("<answer>", end);
  return start < 0 ? undefined : region.slice(start + "<answer>".length, end).trim() || undefined;
}

/** What follows the last answer phrase: a formula between delimiters, or the rest of its sentence. */
function lastPhrase(region: string): string | undefined {
  const tagged = lastTagged(region);
  if (tagged !== undefined) return tagged;
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
