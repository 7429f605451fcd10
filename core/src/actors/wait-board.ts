import type { Wait } from "./actor-status.js";
import type { Clock } from "./clock.js";

/**
 * Waits that are not asks: for a free actor, for a file, for an engine. Whoever waits notes it here, so that
 * `troupe why-stuck` can name it.
 *
 * @example
 * const waits = new WaitBoard(systemClock);
 * await waits.during({ by: "step 3", on: "a verifier", why: "all are busy" }, async () => waits.list().length); // 1
 * waits.list().length; // 0
 */
export class WaitBoard {
  readonly #clock: Clock;
  readonly #waits = new Set<Wait>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a wait while `work` is under way. */
  async during<Result>(
    { deadlineMs, ...what }: Pick<Wait, "by" | "on" | "why"> & { readonly deadlineMs?: number },
    work: () => Promise<Result>,
  ): Promise<Result> {
    const since = this.#clock.now();
    const wait = { ...what, since, ...(deadlineMs === undefined ? {} : { deadlineAt: since + deadlineMs }) };
    this.#waits.add(wait);
    try {
      return await work();
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** The oldest first. */
  list(): readonly Wait[] {
    return [...this.#waits];
  }
}
