import type { Clock } from "./clock.js";

/** Three beats a lease: two may be lost. */
const BEATS_PER_LEASE = 3;
/** At least one a second: beats also say what actors are at. */
const MAX_PAUSE_MS = 1_000;

/**
 * One side of a link that must hear of the other at least once a lease. It says so itself at least three times as often.
 *
 * @example
 * const lease = new Lease(systemClock, 3000, { beat: () => {}, expired: (silentMs) => {} });
 * lease.heard(); // whenever anything arrives
 * lease.end();
 */
export class Lease {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #on: { readonly beat: () => void; readonly expired: (silentMs: number) => void };
  #heardAt: number;
  #cancel: () => void = () => {};

  constructor(clock: Clock, leaseMs: number, on: { beat: () => void; expired: (silentMs: number) => void }) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#on = on;
    this.#heardAt = clock.now();
    this.#wait();
  }

  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  end(): void {
    this.#cancel();
  }

  #wait(): void {
    const pauseMs = Math.min(MAX_PAUSE_MS, this.#leaseMs / BEATS_PER_LEASE);
    const dueAt = this.#clock.now() + pauseMs;
    this.#cancel = this.#clock.after(pauseMs, () => {
      const now = this.#clock.now();
      // A thread that was held up has not listened: what arrived meanwhile is read before the other is given up.
      if (now - dueAt > pauseMs) this.#heardAt = Math.max(this.#heardAt, now - this.#leaseMs / 2);
      const silentMs = now - this.#heardAt;
      if (silentMs >= this.#leaseMs) return this.#on.expired(silentMs);
      this.#on.beat();
      this.#wait();
    });
  }
}
