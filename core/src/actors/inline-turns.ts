import type { Turns } from "./cell.js";
import { systemClock } from "./clock.js";
import { SLICE_MS } from "./slices.js";

/** Messages handled in a row, before anybody looks whether the turn is over. */
const LOOK_EVERY = 16;

/** Called as a turn begins; what it gives says, after every so many messages, whether the turn is over. */
export type TurnEnd = () => () => boolean;

/** After so many messages, which is the same in every run. */
export const atFirstLook: TurnEnd = () => () => true;

/** After a slice of time: for whoever shares a thread with many, and whose senders wait to hear of many messages at once. */
export const afterSlice: TurnEnd = () => {
  const endsAt = systemClock.now() + SLICE_MS;
  return () => systemClock.now() >= endsAt;
};

/** Its reactions run at the end of the turn, sooner than those of `queueMicrotask`, which keeps an async context for each. */
const SETTLED = Promise.resolve();

/**
 * Turns of an actor on a thread that others work on too: what arrives in one turn of the thread is handled in that turn's
 * microtasks, until its own turn is over and timers and whoever wants to stop it get theirs. At most one pump is under way
 * at a time: whoever only awaits never lets the thread's turns go by, and they would pile up.
 */
export class InlineTurns implements Turns {
  readonly #begin: TurnEnd;
  #isOver: () => boolean = () => true;
  #isDue = false;
  #left = 0;

  constructor(begin: TurnEnd) {
    this.#begin = begin;
  }

  first(pump: () => void): void {
    if (this.#isDue) return;
    this.#isDue = true;
    void SETTLED.then(() => this.#run(pump));
  }

  goesOn(pump: () => void): boolean {
    if (--this.#left > 0) return true;
    if (!this.#isOver()) {
      this.#left = LOOK_EVERY;
      return true;
    }
    if (!this.#isDue) {
      this.#isDue = true;
      setImmediate(() => this.#run(pump));
    }
    return false;
  }

  lookAtSystemLane(): void {}

  #run(pump: () => void): void {
    this.#isDue = false;
    this.#left = LOOK_EVERY;
    this.#isOver = this.#begin();
    pump();
  }
}
