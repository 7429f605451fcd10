import { systemClock } from "./actors/clock.js";

/** Splits a step's wall time into named laps. */
export class Stopwatch {
  readonly #started = systemClock.now();
  #last = this.#started;
  readonly #laps: Record<string, number> = {};

  /** Ends a lap; laps of one name add up. */
  lap(name: string): void {
    const now = systemClock.now();
    this.#laps[name] = (this.#laps[name] ?? 0) + (now - this.#last) / 1000;
    this.#last = now;
  }

  laps(): Readonly<Record<string, number>> {
    return { ...this.#laps, "time/step": this.total() };
  }

  total(): number {
    return (systemClock.now() - this.#started) / 1000;
  }
}
