import { isAfter } from "./protocol.js";
import type { Progress, ProgressNotes } from "./transport.js";

/**
 * Where an actor writes what it runs, so that its supervisor can read it at any moment, even while the actor's thread
 * is in an endless loop or after it died. One writer, many readers.
 */
export class ProgressBoard implements Progress, ProgressNotes {
  readonly memory: SharedArrayBuffer;
  readonly #ids: Int32Array;
  readonly #busySince: Float64Array;

  /** System frames that were posted; those that were seen here. */
  readonly #posted: Int32Array;
  #seen = 0;

  constructor(memory = new SharedArrayBuffer(20)) {
    this.memory = memory;
    this.#busySince = new Float64Array(memory, 0, 1);
    this.#ids = new Int32Array(memory, 8, 2);
    this.#posted = new Int32Array(memory, 16, 1);
  }

  /** A board of an incarnation that has started nothing after message `lastId`. */
  static after(lastId: number): ProgressBoard {
    const board = new ProgressBoard();
    board.set({ startedId: lastId, currentId: lastId, busySince: undefined });
    return board;
  }

  start(id: number, now: number): void {
    this.#busySince[0] = now;
    Atomics.store(this.#ids, 1, id);
    // An urgent message runs before others that were accepted earlier.
    if (isAfter(id, this.startedId)) Atomics.store(this.#ids, 0, id);
  }

  rest(): void {
    this.#busySince[0] = 0;
  }

  /** A system frame was posted: the other end looks for it before its next message. */
  noteSystemFrame(): void {
    Atomics.add(this.#posted, 0, 1);
  }

  /** Whether system frames were posted since this was last asked; looking at a port costs a hundred times as much. */
  hasNewSystemFrames(): boolean {
    const posted = Atomics.load(this.#posted, 0);
    const isNew = posted !== this.#seen;
    this.#seen = posted;
    return isNew;
  }

  /** Takes over what was heard of an actor that writes elsewhere. */
  set({ startedId, currentId, busySince }: Progress): void {
    this.#busySince[0] = busySince ?? 0;
    Atomics.store(this.#ids, 1, currentId);
    Atomics.store(this.#ids, 0, startedId);
  }

  get startedId(): number {
    return Atomics.load(this.#ids, 0);
  }

  get currentId(): number {
    return Atomics.load(this.#ids, 1);
  }

  get busySince(): number | undefined {
    return this.#busySince[0] || undefined;
  }
}
