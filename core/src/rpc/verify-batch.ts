import type { VerifyReply } from "./verify-message.js";

/** The replies to one request, in the order in which they are found; any number of readers may follow them. */
export class VerifyBatch {
  readonly size: number;
  readonly #replies: VerifyReply[] = [];
  readonly #waiting = new Set<() => void>();
  #readers = 0;
  #onAbandoned: () => void = () => {};

  constructor(size: number) {
    this.size = size;
  }

  get isComplete(): boolean {
    return this.#replies.length === this.size;
  }

  /** @param onAbandoned called when the last reader goes away before the last reply */
  whenAbandoned(onAbandoned: () => void): void {
    this.#onAbandoned = onAbandoned;
  }

  add(reply: VerifyReply): void {
    this.#replies.push(reply);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /**
   * Every reply from the first on, as soon as it is there and with those that came at the same moment. Ends after as many
   * as the request has items.
   *
   * @param signal the reader goes away: ends at once
   */
  async *replies(signal: AbortSignal): AsyncGenerator<readonly VerifyReply[], void> {
    this.#readers++;
    let wake = (): void => {};
    const onAbort = (): void => wake();
    signal.addEventListener("abort", onAbort);
    try {
      for (let next = 0; next < this.size && !signal.aborted;) {
        if (next === this.#replies.length) {
          await new Promise<void>((resolve) => this.#waiting.add((wake = resolve)));
          this.#waiting.delete(wake);
          continue;
        }
        const found = this.#replies.slice(next);
        next += found.length;
        yield found;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#readers--;
      if (this.#readers === 0 && !this.isComplete) this.#onAbandoned();
    }
  }
}
