/** One frame of a guest: the words of its head line, and what followed it. */
export interface Frame {
  readonly words: readonly string[];
  readonly payload: Buffer;
}

/** No honest head line is longer; a guest that sends one has been taken over. */
const LONGEST_HEAD = 200;

/** Cuts a byte stream into frames: a line of words, the last of which is the number of bytes that follow. */
export class FrameReader {
  readonly #largest: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #head: readonly string[] | undefined;
  #wanted = 0;

  /** @param largest bytes of the longest payload that is let through */
  constructor(largest: number) {
    this.#largest = largest;
  }

  /**
   * Takes in bytes; returns the frames that they complete.
   *
   * @returns undefined when the stream is no sequence of frames
   */
  push(chunk: Buffer): Frame[] | undefined {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      if (this.#head === undefined) {
        const whole = this.#joined();
        const end = whole.indexOf(0x0a);
        if (end < 0) return this.#bytes > LONGEST_HEAD ? undefined : frames;
        const words = whole.toString("latin1", 0, end).split(" ");
        const length = Number(words.at(-1));
        if (!Number.isInteger(length) || length < 0 || length > this.#largest) return undefined;
        this.#keep(whole.subarray(end + 1));
        this.#head = words;
        this.#wanted = length;
      }
      if (this.#bytes < this.#wanted) return frames;
      const whole = this.#joined();
      frames.push({ words: this.#head, payload: whole.subarray(0, this.#wanted) });
      this.#keep(whole.subarray(this.#wanted));
      this.#head = undefined;
    }
  }

  #joined(): Buffer {
    const whole =
      this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }
}
