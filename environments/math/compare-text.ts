import { canonicalWords } from "./vocabulary.js";

/** An answer without its wrapping: no dollars, no \text around words, no full stop, single spaces. */
function unwrap(answer: string): string {
  return (
    answer
      .replace(/\\(?:text|textbf|textit|textrm|mbox|textnormal|operatorname)\s*\{([^{}]*)\}/g, "$1")
      // A single letter in bold or upright type is not the same letter in italics: a vector, a unit.
      .replace(/\\math(?:rm|bf)\s*\{([^{}]{2,})\}/g, "$1")
      .replace(/\\[,;:! ]|[$~*]/g, " ")
      .replace(/\s+/g, " ")
      .trim()
      .replace(/(?<!\.)\.\s*$/, "")
      .trim()
  );
}

/** Spaces between letters or digits may separate what they stand between: "1 2" is not "12". */
function withoutIdleSpaces(text: string): string {
  return text.replace(/(?<![A-Za-z0-9.]) | (?![A-Za-z0-9.])/g, "");
}

/**
 * Whether two answers are the same words, or are written alike but for layout. Case counts in formulas, x and X being two
 * variables, and does not count in words.
 */
export function isSameText(gold: string, answer: string): boolean {
  const [goldText, answerText] = [unwrap(gold), unwrap(answer)];
  if (goldText === "") return false;
  if (withoutIdleSpaces(goldText) === withoutIdleSpaces(answerText)) return true;
  const isWords = /^[\p{L}][\p{L}\s'-]+$/u;
  return isWords.test(goldText) && isWords.test(answerText) && canonicalWords(goldText) === canonicalWords(answerText);
}

/**
 * Whether the answer names the gold's choice: "(C)", "C", "\textbf{(C)}\ 12" and "C. twelve" for gold "C" or "(C)".
 * Undefined when the gold is no choice, or the answer names none.
 */
export function isSameChoice(gold: string, answer: string): boolean | undefined {
  const wanted = /^\(?([A-J])\)?$/.exec(unwrap(gold))?.[1];
  const given = /^(?:\(([A-J])\)|([A-J])(?:[).:]\s|\)?$))\s*[:.,]?\s*(?![-+*/^_=<>:.,\s])/i.exec(unwrap(answer));
  if (wanted === undefined || given === null) return undefined;
  return (given[1] ?? given[2])?.toUpperCase() === wanted;
}
