/** Adds up the time during which at least one of the calls that go through it is under way. */
export class BusyTime {
  #running = 0;
  #since = 0;
  #seconds = 0;

  /** Seconds since the last `take`; call it when nothing is under way. */
  take(): number {
    const seconds = this.#seconds;
    this.#seconds = 0;
    return seconds;
  }

  /** The same function, timed. */
  around<Args extends readonly unknown[], Result>(
    call: (...args: Args) => Promise<Result>,
  ): (...args: Args) => Promise<Result> {
    return async (...args) => {
      if (this.#running++ === 0) this.#since = performance.now();
      try {
        return await call(...args);
      } finally {
        if (--this.#running === 0) this.#seconds += (performance.now() - this.#since) / 1000;
      }
    };
  }
}
