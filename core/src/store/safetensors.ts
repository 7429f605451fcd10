import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { errors } from "../errors.js";
import { isMissing, onFile, syncToDisk } from "./durable-files.js";
import { bytesOf, formatHeader, parseHeader, type TensorEntry, type TensorType } from "./tensor-header.js";

/** A tensor of a safetensors file: its elements as little-endian bytes, row-major. */
export interface StoredTensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Begins at a multiple of 8 in a buffer of its own, so that typed arrays can be views of it. */
  readonly bytes: Uint8Array;
}

/** A tensor that is too large to hold at once: who has it writes all its bytes into an open file, from `position` on. */
export interface StreamedTensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  writeTo(descriptor: number, position: number): Promise<void>;
}

/** What a safetensors file holds; tensors in the order of their data. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A header beyond this is taken for damage. */
const MAX_HEADER_BYTES = 100_000_000;

/** Read and written in pieces, for one system call moves at most 2 GiB. */
const PIECE_BYTES = 1 << 30;

/** An open safetensors file whose tensors are read when they are wanted; whoever opens it closes it. */
export class TensorReader {
  readonly path: string;
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: FileHandle;
  readonly #dataBegin: number;

  private constructor(
    path: string,
    file: FileHandle,
    dataBegin: number,
    header: { entries: readonly TensorEntry[]; metadata: Readonly<Record<string, string>> },
  ) {
    this.path = path;
    this.#file = file;
    this.#dataBegin = dataBegin;
    this.tensors = new Map(header.entries.map((entry) => [entry.name, entry]));
    this.metadata = header.metadata;
  }

  /**
   * Opens a file and checks its header against its length.
   *
   * @throws TENSOR_FILE_NOT_VALID naming the file and, where one is at fault, the tensor
   */
  static async open(path: string): Promise<TensorReader> {
    const fail = failure(path);
    const file = await onFile(path, "read", () => open(path, "r")).catch((cause: unknown) => {
      throw fail(isMissing(cause) ? "the file is missing" : textOf(cause), cause);
    });
    try {
      const { size } = await file.stat();
      if (size < 8) throw fail(`it is shorter than a header: ${size} bytes`);
      const headerBytes = Number(new DataView((await readBytes(file, 0, 8, fail)).buffer).getBigUint64(0, true));
      const dataBegin = 8 + headerBytes;
      if (headerBytes > MAX_HEADER_BYTES || dataBegin > size) throw fail("its header is longer than the file");
      const header = parseHeader(await readBytes(file, 8, headerBytes, fail), fail);
      for (const { name, end } of header.entries) {
        if (dataBegin + end > size)
          throw fail(
            `tensor "${name}" reaches past the end of the file: to byte ${dataBegin + end}, the file has ${size}`,
          );
      }
      return new TensorReader(path, file, dataBegin, header);
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }

  /**
   * Bytes [from, to) of a tensor's data, in a buffer of their own; the whole tensor unless given.
   *
   * @throws TENSOR_FILE_NOT_VALID when the file has no such tensor, or was cut since it was opened
   */
  async read(name: string, from = 0, to?: number): Promise<Uint8Array> {
    const fail = failure(this.path);
    const entry = this.tensors.get(name);
    if (!entry) throw fail(`tensor "${name}" is missing`);
    const end = to ?? entry.end - entry.begin;
    return readBytes(this.#file, this.#dataBegin + entry.begin + from, end - from, fail);
  }

  /** Where a tensor's data begins in the file, and how long they are; for readers that read it themselves. */
  placeOf({ begin, end }: TensorEntry): { readonly offset: number; readonly length: number } {
    return { offset: this.#dataBegin + begin, length: end - begin };
  }

  /** Of the open file; for readers that read it themselves, before it is closed. */
  get descriptor(): number {
    return this.#file.fd;
  }

  /** TENSOR_FILE_NOT_VALID, for what such a reader found. */
  failure(problem: string): Error {
    return failure(this.path)(problem);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/**
 * Reads a whole safetensors file; see `TensorReader` for one that is larger than memory should hold.
 *
 * @throws TENSOR_FILE_NOT_VALID naming the file and, where one is at fault, the tensor
 */
export async function readSafetensors(path: string): Promise<TensorFile> {
  const reader = await TensorReader.open(path);
  try {
    const tensors = new Map<string, StoredTensor>();
    for (const { name, type, shape } of reader.tensors.values())
      tensors.set(name, { type, shape, bytes: await reader.read(name) });
    return { tensors, metadata: reader.metadata };
  } finally {
    await reader.close();
  }
}

/**
 * Writes a safetensors file, whose folder is made when it is missing, under a temporary name, forces it to the disk, and gives it its name: a reader sees the old
 * file or the new one, never a part.
 *
 * @throws TENSOR_FILE_NOT_VALID when a tensor's bytes do not fit its shape; DISK_FULL, FILE_NOT_PERMITTED
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor | StreamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  await onFile(path, "write", async () => {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "w");
    try {
      let position = await writeBytes(file, 0, formatHeader(tensors, metadata));
      for (const [name, tensor] of tensors) {
        const expected = bytesOf(tensor);
        if ("writeTo" in tensor) await tensor.writeTo(file.fd, position);
        else if (tensor.bytes.length === expected) await writeBytes(file, position, tensor.bytes);
        else throw failure(path)(`tensor "${name}" has ${tensor.bytes.length} bytes, its shape wants ${expected}`);
        position += expected;
      }
      await file.sync();
    } catch (cause) {
      await rm(temporary, { force: true });
      throw cause;
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncToDisk(dirname(path));
  });
}

/** Gives where the bytes end. */
async function writeBytes(file: FileHandle, position: number, bytes: Uint8Array): Promise<number> {
  for (let done = 0; done < bytes.length;) {
    const piece = await file.write(bytes, done, Math.min(PIECE_BYTES, bytes.length - done), position + done);
    done += piece.bytesWritten;
  }
  return position + bytes.length;
}

async function readBytes(
  file: FileHandle,
  position: number,
  length: number,
  fail: (problem: string) => Error,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const piece = await file.read(bytes, done, Math.min(PIECE_BYTES, length - done), position + done);
    if (piece.bytesRead === 0) throw fail("it ends early");
    done += piece.bytesRead;
  }
  return bytes;
}

function failure(path: string): (problem: string, cause?: unknown) => Error {
  return (problem, cause) => errors.tensorFileNotValid({ path, problem }, cause);
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
