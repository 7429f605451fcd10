import { systemClock } from "../actors/clock.js";

const LOOK_EVERY_MS = 1;

/**
 * Tells when every actor of an order has begun to sample: from then on its samples are of the version that was live,
 * whatever is published. Shared memory, as an actor that samples answers no message.
 */
export class Begun {
  readonly #counts: Int32Array<SharedArrayBuffer>;

  /** @param memory that of a `Begun` on another thread */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.#counts = new Int32Array(memory);
  }

  get memory(): SharedArrayBuffer {
    return this.#counts.buffer;
  }

  /** One more actor is asked. */
  expect(): void {
    Atomics.add(this.#counts, 0, 1);
  }

  /** Called by an actor once its engine has the requests. */
  arrive(): void {
    Atomics.add(this.#counts, 1, 1);
  }

  /** Waits for all that are asked; or for `end`, as a failed order never begins. */
  async all(end: Promise<unknown>): Promise<void> {
    let hasEnded = false;
    const note = (): void => void (hasEnded = true);
    end.then(note, note);
    while (!hasEnded && Atomics.load(this.#counts, 1) < Atomics.load(this.#counts, 0))
      await new Promise<void>((resolve) => systemClock.after(LOOK_EVERY_MS, resolve));
  }
}
