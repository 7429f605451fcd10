import { wordsOf } from "./word-grams.js";

/** Limits of what is asked and answered. */
export interface QuestionLimits {
  /** Words of a question at least. */
  readonly minWords: number;
  /** Characters of an answer at most. */
  readonly maxAnswerCharacters: number;
}

/** Words that English text is full of. */
const ENGLISH = new Set(
  "the a an of to in is are and that for if find what how many with on as by let be it from then at each this which".split(
    " ",
  ),
);

/**
 * Why a question with its answer is no good for training on verified answers; undefined where it is.
 *
 * Source: AceReason's rules for mathematics (arXiv:2505.16400): no multiple choice, true or false, proofs, several
 * parts, figures, other languages than English, too short questions, too long or too complex answers.
 *
 * @returns a reason, and the words that show it
 */
export function whyUnfit(
  question: string,
  answer: string,
  { minWords, maxAnswerCharacters }: QuestionLimits,
): readonly [reason: string, found: string] | undefined {
  const words = wordsOf(question);
  if (words.length < minWords) return ["too-short", `${words.length} words`];
  for (const [reason, pattern] of PATTERNS) {
    const match = pattern.exec(question);
    if (match !== null) return [reason, match[0].slice(0, 80)];
  }
  if (/^\W*(?:true|false|yes|no)\W*$/i.test(answer)) return ["true-or-false", answer];
  if (!isEnglish(question, words)) return ["not-english", words.slice(0, 8).join(" ")];
  if (answer.length > maxAnswerCharacters) return ["answer-too-long", `${answer.length} characters`];
  const plain = answer.replace(/\\[a-zA-Z]+|[{}$\\]/g, " ");
  if ((plain.match(/[A-Za-z]{3,}/g) ?? []).length > 3) return ["answer-too-complex", answer];
  return undefined;
}

const PATTERNS: readonly (readonly [reason: string, pattern: RegExp])[] = [
  ["multiple-choice", /\(\s*A\s*\)[\s\S]{0,400}\(\s*B\s*\)[\s\S]{0,400}\(\s*C\s*\)/],
  ["multiple-choice", /(?:^|\n)\s*A[.)][^\n]*\n\s*B[.)][^\n]*\n\s*C[.)]/],
  ["multiple-choice", /which of the following|\bmultiple[- ]choice\b/i],
  ["several-parts", /\(\s*a\s*\)[\s\S]{0,800}\(\s*b\s*\)|\(\s*i\s*\)[\s\S]{0,800}\(\s*ii\s*\)|\bpart (?:a|1)\b/i],
  ["several-parts", /(?:^|\n)\s*(?:a|1)[.)]\s[^\n]*\n\s*(?:b|2)[.)]\s/],
  ["true-or-false", /\btrue or false\b/i],
  ["proof", /\b(?:prove|proof|show that|demonstrate that|disprove)\b/i],
  [
    "figure",
    /\[asy\]|\\includegraphics|!\[[^\]]*\]\(|<image|\b(?:figure|diagram|picture)\b|\b(?:graph|table) (?:shown|below|above)\b|\b(?:as )?shown (?:below|above|in the)\b/i,
  ],
];

/** Latin letters, and where there are words enough for it, English ones among them. */
function isEnglish(question: string, words: readonly string[]): boolean {
  const letters = question.match(/\p{L}/gu)?.length ?? 0;
  const foreign = question.match(/[^\P{L}\p{Script=Latin}\p{Script=Greek}]/gu)?.length ?? 0;
  if (foreign > 0.05 * letters) return false;
  const english = words.filter((word) => ENGLISH.has(word)).length;
  return words.length < 12 || english >= 0.06 * words.length;
}
