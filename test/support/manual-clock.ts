import type { Clock } from "../../core/src/actors/clock.js";

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now: number;
  #alarms: { readonly at: number; readonly callback: () => void }[] = [];

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const alarm = { at: this.#now + delayMs, callback };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }

  /** Shows another time from now on, without a call being made on the way: those that are late are made by `advance`. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Number of calls that are still to be made. */
  get pending(): number {
    return this.#alarms.length;
  }

  /** Goes on by `ms` and makes every call that falls due, in the order of time; microtasks run between them. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#alarms.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#alarms = this.#alarms.filter((alarm) => alarm !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settle();
    }
    this.#now = until;
    await settle();
  }
}

/** Lets everything run that is due without time going on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
