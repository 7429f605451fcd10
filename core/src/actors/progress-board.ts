/**
 * Where an actor writes what it runs, so that its supervisor can read it at any moment, even while the actor's thread
 * is in an endless loop or after it died. One writer, many readers.
 */
export class ProgressBoard {
  readonly memory: SharedArrayBuffer;
  readonly #started: Int32Array;
  readonly #busySince: Float64Array;

  constructor(memory = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#busySince = new Float64Array(memory, 0, 1);
    this.#started = new Int32Array(memory, 8, 1);
  }

  /** Called before a handler runs: whatever has a later id has certainly not run. */
  start(id: number, now: number): void {
    this.#busySince[0] = now;
    Atomics.store(this.#started, 0, id);
  }

  /** Nothing runs any more. */
  rest(): void {
    this.#busySince[0] = 0;
  }

  get startedId(): number {
    return Atomics.load(this.#started, 0);
  }

  /** When the last message was started, as the clock of the actor's thread says; undefined when nothing runs. */
  get busySince(): number | undefined {
    return this.#busySince[0] || undefined;
  }
}
