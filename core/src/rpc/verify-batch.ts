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
   * Every reply from the first on, each as soon as it is there. Ends after as many as the request has items.
   *
   * @param signal the reader goes away: ends at once
   */
  async *replies(signal: AbortSignal): AsyncGenerator<VerifyReply, void> {
    this.#readers++;
    let wake = (): void => {};
    const onAbort = (): void => wake();
    signal.addEventListener("abort", onAbort);
    try {
      for (let next = 0; next < this.size && !signal.aborted; next++) {
        while (next >= this.#replies.length) {
          await new Promise<void>((resolve) => this.#waiting.add((wake = resolve)));
          this.#waiting.delete(wake);
          if (signal.aborted) return;
        }
        // It was just seen to be there.
        yield this.#replies[next] as VerifyReply;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#readers--;
      if (this.#readers === 0 && !this.isComplete) this.#onAbandoned();
    }
  }
}
