/** An answer without its wrapping: no dollars, no \text around words, no full stop, single spaces. */
function unwrap(answer: string): string {
  return answer
    .replace(/\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|textnormal|operatorname)\s*\{([^{}]*)\}/g, "$1")
    .replace(/\\[,;:! ]|[$~*]/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[.\s]+$/, "");
}

/**
 * Whether two answers are the same words, or are written alike but for layout. Case counts in formulas, x and X being two
 * variables, and does not count in words.
 */
export function isSameText(gold: string, answer: string): boolean {
  const [goldText, answerText] = [unwrap(gold), unwrap(answer)];
  if (goldText === "") return false;
  if (goldText.replaceAll(" ", "") === answerText.replaceAll(" ", "")) return true;
  const isWords = /^[\p{L}][\p{L}\s'-]+$/u;
  return isWords.test(goldText) && isWords.test(answerText) && goldText.toLowerCase() === answerText.toLowerCase();
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
