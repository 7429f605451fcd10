import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";

/** Counters that a test and an actor both see: shared memory between threads, a file between processes. */
export type SharedCells = SharedArrayBuffer | { readonly file: string; readonly length: number };

/** Makes counters in a file, all 0. */
export function cellsInFile(file: string, length: number): SharedCells {
  writeFileSync(file, Buffer.alloc(4 * length));
  return { file, length };
}

/** One end of the counters. One actor at a time adds. */
export class ProbeMemory {
  readonly #cells: SharedCells;

  constructor(cells: SharedCells) {
    this.#cells = cells;
  }

  /** Adds 1 and gives the sum; a counter that is not there counts nothing. */
  add(index: number): number {
    if (this.#cells instanceof SharedArrayBuffer) {
      const counters = new Int32Array(this.#cells);
      return index < counters.length ? Atomics.add(counters, index, 1) + 1 : 0;
    }
    const { file, length } = this.#cells;
    if (index >= length) return 0;
    const handle = openSync(file, "r+");
    const bytes = Buffer.alloc(4);
    readSync(handle, bytes, 0, 4, 4 * index);
    const sum = bytes.readInt32LE(0) + 1;
    bytes.writeInt32LE(sum, 0);
    writeSync(handle, bytes, 0, 4, 4 * index);
    closeSync(handle);
    return sum;
  }

  read(): readonly number[] {
    if (this.#cells instanceof SharedArrayBuffer) return [...new Int32Array(this.#cells)];
    const bytes = readFileSync(this.#cells.file);
    return Array.from({ length: this.#cells.length }, (_, index) => bytes.readInt32LE(4 * index));
  }
}
