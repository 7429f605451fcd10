import { MessageChannel, type MessagePort } from "node:worker_threads";
import { errors } from "../errors.js";

/** One end of a ring: memory that both threads see, and a port for waking the other up. Move the port with it. */
export interface RingEnd {
  readonly memory: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** Counters at the start of the memory, int32 each, and where the records begin. */
const HEAD = 0;
const TAIL = 1;
const READER_SLEEPS = 2;
const WRITER_WAITS = 3;
const DATA = 16;

/** A record is its length and its bytes, padded to this. */
const ALIGN = 4;
/** Stands for a length where the rest of the memory is left empty. */
const WRAP = -1;
/** Records read in one turn; others of the thread get theirs then. */
const MAX_A_TURN = 4_096;

/**
 * Makes a ring of records between two threads, for many small records: no object is made, cloned or queued for one, and
 * whoever writes rings a doorbell only when the reader sleeps. One thread writes, one reads, in the order of writing.
 *
 * @param bytes size of the ring, rounded up to a power of two; a record takes at most half of it
 * @example
 * const { writer, reader } = createRing(1 << 16);
 * const records = new RingReader(reader, (record) => record.length);
 * new RingWriter(writer).write(new Uint8Array([1, 2, 3])); // true
 * records.close();
 */
export function createRing(bytes: number): { readonly writer: RingEnd; readonly reader: RingEnd } {
  const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 64)));
  const memory = new SharedArrayBuffer(DATA + size);
  Atomics.store(new Int32Array(memory), READER_SLEEPS, 1);
  const { port1, port2 } = new MessageChannel();
  return { writer: { memory, port: port1 }, reader: { memory, port: port2 } };
}

/** The end of a ring that writes. */
export class RingWriter {
  readonly #counters: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #port: MessagePort;
  #whenRoom: (() => void) | undefined;
  #head = 0;
  /** As far as the reader was known to be; looked at anew only when that is not enough. */
  #tail = 0;

  constructor({ memory, port }: RingEnd) {
    this.#counters = new Int32Array(memory, 0, DATA / 4);
    this.#words = new Int32Array(memory, DATA);
    this.#bytes = new Uint8Array(memory, DATA);
    this.#size = this.#bytes.length;
    this.#port = port;
    port.on("message", () => {
      this.#whenRoom?.();
      this.#whenRoom = undefined;
    });
    port.unref();
  }

  /**
   * Copies a record into the ring; false when there is no room for it, and then nothing was written.
   *
   * @throws RECORD_TOO_LARGE
   */
  write(record: Uint8Array): boolean {
    const needed = ALIGN + ((record.length + ALIGN - 1) & -ALIGN);
    if (needed > this.#size / 2) throw errors.recordTooLarge({ bytes: record.length, most: this.#size / 2 - ALIGN });
    let at = this.#head & (this.#size - 1);
    const gap = at + needed > this.#size ? this.#size - at : 0;
    if (!this.#fits(gap + needed)) return false;
    if (gap > 0) {
      this.#words[at >> 2] = WRAP;
      at = 0;
    }
    this.#words[at >> 2] = record.length;
    this.#bytes.set(record, at + ALIGN);
    this.#head = (this.#head + gap + needed) | 0;
    Atomics.store(this.#counters, HEAD, this.#head);
    if (Atomics.load(this.#counters, READER_SLEEPS) === 1) this.#wake();
    return true;
  }

  /** Resolves when the reader has made room since the last `write` that failed. */
  async room(): Promise<void> {
    const before = this.#tail;
    Atomics.store(this.#counters, WRITER_WAITS, 1);
    if (Atomics.load(this.#counters, TAIL) !== before) return;
    this.#port.ref();
    await new Promise<void>((resolve) => (this.#whenRoom = resolve));
    this.#port.unref();
  }

  /** Closes the ring for both ends. */
  close(): void {
    this.#port.close();
  }

  #fits(needed: number): boolean {
    if (((this.#head - this.#tail) | 0) + needed <= this.#size) return true;
    this.#tail = Atomics.load(this.#counters, TAIL);
    return ((this.#head - this.#tail) | 0) + needed <= this.#size;
  }

  #wake(): void {
    if (Atomics.exchange(this.#counters, READER_SLEEPS, 0) === 1) this.#port.postMessage(null);
  }
}

/** The end of a ring that reads. It keeps its thread alive until it is closed. */
export class RingReader {
  readonly #counters: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #port: MessagePort;
  readonly #hear: (record: Uint8Array) => void;
  #tail = 0;
  #isClosed = false;

  /** @param hear is given a view of the ring itself: its bytes are those of other records once it returns */
  constructor({ memory, port }: RingEnd, hear: (record: Uint8Array) => void) {
    this.#counters = new Int32Array(memory, 0, DATA / 4);
    this.#words = new Int32Array(memory, DATA);
    this.#bytes = new Uint8Array(memory, DATA);
    this.#size = this.#bytes.length;
    this.#port = port;
    this.#hear = hear;
    port.on("message", () => this.#drain());
  }

  close(): void {
    this.#isClosed = true;
    this.#port.close();
  }

  #drain(): void {
    for (;;) {
      if (this.#isClosed) return;
      if (this.#read() === MAX_A_TURN) return void setImmediate(() => this.#drain());
      Atomics.store(this.#counters, READER_SLEEPS, 1);
      // What was written before the reader was seen to sleep rings no bell.
      if (Atomics.load(this.#counters, HEAD) === this.#tail) return;
      if (Atomics.exchange(this.#counters, READER_SLEEPS, 0) === 0) return;
    }
  }

  /** Reads what is there, up to a turn's worth; gives how many records that were. */
  #read(): number {
    const head = Atomics.load(this.#counters, HEAD);
    let count = 0;
    while (this.#tail !== head && count < MAX_A_TURN && !this.#isClosed) {
      let at = this.#tail & (this.#size - 1);
      if (this.#words[at >> 2] === WRAP) {
        this.#tail = (this.#tail + this.#size - at) | 0;
        at = 0;
      }
      const length = this.#words[at >> 2] ?? 0;
      this.#hear(this.#bytes.subarray(at + ALIGN, at + ALIGN + length));
      this.#tail = (this.#tail + ALIGN + ((length + ALIGN - 1) & -ALIGN)) | 0;
      count += 1;
    }
    Atomics.store(this.#counters, TAIL, this.#tail);
    if (count > 0 && Atomics.exchange(this.#counters, WRITER_WAITS, 0) === 1) this.#port.postMessage(null);
    return count;
  }
}
