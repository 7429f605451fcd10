const REPEATS = 10;
const LONGEST_NGRAM = 30;
const LONGEST_WORD = 120;

/**
 * Whether a text has fallen apart: some word n-gram (n from 1 to 30, the text cut into successive chunks of n words)
 * stands at least 10 times in a row, or a word has 120 characters or more.
 *
 * Source: code of AutoThink (arXiv:2505.10832), which looks at the prompt too; here it is the response alone, so a long
 * word in a problem punishes nobody.
 */
export function isDegenerate(responseText: string): boolean {
  const words = responseText.split(/\s+/).filter((word) => word !== "");
  if (words.some((word) => word.length >= LONGEST_WORD)) return true;
  for (let n = 1; n <= LONGEST_NGRAM && n * REPEATS <= words.length; n++) {
    let previous = "";
    let run = 0;
    for (let start = 0; start + n <= words.length; start += n) {
      const chunk = words.slice(start, start + n).join(" ");
      run = chunk === previous ? run + 1 : 1;
      if (run >= REPEATS) return true;
      previous = chunk;
    }
  }
  return false;
}
