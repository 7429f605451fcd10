import type { Turns } from "./cell.js";
import { systemClock } from "./clock.js";

/** Longest time that messages are handled for before the thread looks for system frames again. */
export const SLICE_MS = 1;

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
