import type { Turns } from "./cell.js";
import { systemClock } from "./clock.js";

/** Longest time that messages are handled for before the thread looks for system frames again. */
const SLICE_MS = 1;

/** Handles messages in slices, between which the thread reads on: so what overtakes messages does so within a slice. */
export class Slices implements Turns {
  #due: (() => void) | undefined;
  #endsAt = 0;

  first(pump: () => void): void {
    this.#due = pump;
  }

  /** Handles what has arrived; called when everything that could be read was read. */
  run(): void {
    const pump = this.#due;
    this.#due = undefined;
    this.#endsAt = systemClock.now() + SLICE_MS;
    pump?.();
  }

  goesOn(pump: () => void): boolean {
    if (systemClock.now() < this.#endsAt) return true;
    setImmediate(() => {
      this.#due = pump;
      this.run();
    });
    return false;
  }

  lookAtSystemLane(): void {}
}

/** Looks at the clock once in so many messages. */
const LOOK_EVERY = 16;

/**
 * Slices for an actor that lives inline on a node among others: what arrives in one turn is handled in that turn's
 * microtasks, so that its sender hears of many handled messages at once, and never for longer than a slice.
 */
export class SharedSlices implements Turns {
  #isDue = false;
  #endsAt = 0;
  #left = 0;

  first(pump: () => void): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.#run(pump));
  }

  goesOn(pump: () => void): boolean {
    if (--this.#left > 0) return true;
    this.#left = LOOK_EVERY;
    if (systemClock.now() < this.#endsAt) return true;
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
    this.#endsAt = systemClock.now() + SLICE_MS;
    pump();
  }
}
