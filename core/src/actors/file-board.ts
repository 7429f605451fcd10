import { accessSync, closeSync, constants, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAfter } from "./protocol.js";
import type { Progress, ProgressNotes } from "./transport.js";

/** busySince (float64), startedId, currentId, overMemory (int32 each). */
const SIZE = 20;
const OVER_MEMORY_AT = 16;

/** Files of memory where the system has them: a note is written before every message. */
const SHARED_MEMORY = "/dev/shm";

/** The writing end of a `FileBoard`, in the process whose progress it shows. */
export class FileNotes implements ProgressNotes, Pick<Progress, "startedId"> {
  readonly #file: number;
  readonly #bytes = Buffer.alloc(SIZE);
  startedId: number;

  /** @param file descriptor that was inherited */
  constructor(file: number, lastId: number) {
    this.#file = file;
    this.startedId = lastId;
  }

  start(id: number, now: number): void {
    if (isAfter(id, this.startedId)) this.startedId = id;
    this.#bytes.writeDoubleLE(now, 0);
    this.#bytes.writeInt32LE(this.startedId, 8);
    this.#bytes.writeInt32LE(id, 12);
    writeSync(this.#file, this.#bytes, 0, OVER_MEMORY_AT, 0);
  }

  /** Costs nothing: a message that was answered is known to run no more. */
  rest(): void {}
}

/** Notes that the process is ended because it takes too much memory. */
export function noteOverMemory(file: number): void {
  writeSync(file, Buffer.from([1]), 0, 1, OVER_MEMORY_AT);
}

/**
 * A process's progress in a file without a name: what was written is there after any end of the writer, and the file goes
 * with the last process that holds it.
 */
export class FileBoard implements Progress {
  /** To be inherited by the process. */
  readonly file: number;
  readonly #bytes = Buffer.alloc(SIZE);
  #isClosed = false;

  constructor(lastId: number) {
    const path = join(folder(), `troupe-board-${process.pid}-${FileBoard.#made++}`);
    this.file = openSync(path, "wx+", 0o600);
    rmSync(path);
    this.#bytes.writeInt32LE(lastId, 8);
    this.#bytes.writeInt32LE(lastId, 12);
    writeSync(this.file, this.#bytes, 0, SIZE, 0);
  }

  static #made = 0;

  get startedId(): number {
    return this.#read().readInt32LE(8);
  }

  get currentId(): number {
    return this.#read().readInt32LE(12);
  }

  get busySince(): number | undefined {
    return this.#read().readDoubleLE(0) || undefined;
  }

  get isOverMemory(): boolean {
    return this.#read().readInt32LE(OVER_MEMORY_AT) === 1;
  }

  /** Lets go of the file; what was last written can still be read. */
  close(): void {
    if (this.#isClosed) return;
    this.#read();
    this.#isClosed = true;
    closeSync(this.file);
  }

  #read(): Buffer {
    if (!this.#isClosed) readSync(this.file, this.#bytes, 0, SIZE, 0);
    return this.#bytes;
  }
}

function folder(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return tmpdir();
  }
}
