/**
 * The words of a text for comparing texts: lower case, without punctuation and symbols.
 *
 * @example
 * wordsOf("What is $2+2$, exactly?"); // ["what", "is", "22", "exactly"]
 */
export function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[\p{P}\p{S}]+/gu, "")
    .split(/\s+/)
    .filter((word) => word !== "");
}

/**
 * Texts that must not be trained on, findable by any n words in a row that they share with another text.
 *
 * Source: AceReason (arXiv:2505.16400), n = 9 for mathematics and 14 for code.
 */
export class GramIndex {
  readonly n: number;
  readonly #sources = new Map<string, string>();

  constructor(n: number) {
    this.n = n;
  }

  /** Words in a row that are known. */
  get size(): number {
    return this.#sources.size;
  }

  add(text: string, source: string): void {
    for (const gram of this.#gramsOf(text)) if (!this.#sources.has(gram)) this.#sources.set(gram, source);
  }

  /** The first n words in a row that the text shares with a text of the index. */
  find(text: string): { readonly gram: string; readonly source: string } | undefined {
    for (const gram of this.#gramsOf(text)) {
      const source = this.#sources.get(gram);
      if (source !== undefined) return { gram, source };
    }
    return undefined;
  }

  *#gramsOf(text: string): Generator<string> {
    const words = wordsOf(text);
    for (let start = 0; start + this.n <= words.length; start++) yield words.slice(start, start + this.n).join(" ");
  }
}
