import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errors } from "../errors.js";
import { onFile, syncToDisk } from "./durable-files.js";

/** The element types that a tensor file may hold, with bytes per element. */
const ELEMENT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 } as const;

/** Element type of a tensor, by its name in the file format. */
export type TensorType = keyof typeof ELEMENT_BYTES;

/** A tensor of a safetensors file: its elements as little-endian bytes, row-major. */
export interface StoredTensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Begins at a multiple of 8 in a buffer of its own, so that typed arrays can be views of it. */
  readonly bytes: Uint8Array;
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

/**
 * Reads a whole safetensors file.
 *
 *     8 bytes: header length, little-endian · header: JSON, name → dtype, shape, data_offsets · data
 *
 * @throws TENSOR_FILE_NOT_VALID naming the file and, where one is at fault, the tensor
 */
export async function readSafetensors(path: string): Promise<TensorFile> {
  const fail = (problem: string, cause?: unknown) => errors.tensorFileNotValid({ path, problem }, cause);
  const file = await onFile(path, "read", () => open(path, "r")).catch((cause: unknown) => {
    throw fail(cause instanceof Error ? cause.message : String(cause), cause);
  });
  try {
    const { size } = await file.stat();
    const read = async (bytes: Uint8Array, position: number) => {
      for (let done = 0; done < bytes.length;) {
        const piece = await file.read(bytes, done, Math.min(PIECE_BYTES, bytes.length - done), position + done);
        if (piece.bytesRead === 0) throw fail("it ends early");
        done += piece.bytesRead;
      }
    };
    if (size < 8) throw fail("it is shorter than a header");
    const prefix = new Uint8Array(8);
    await read(prefix, 0);
    const headerBytes = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > size) throw fail("its header is longer than the file");
    const header = new Uint8Array(headerBytes);
    await read(header, 8);
    const { entries, metadata } = parseHeader(header, fail);
    const tensors = new Map<string, StoredTensor>();
    for (const { name, type, shape, begin, end } of entries) {
      if (8 + headerBytes + end > size) throw fail(`tensor "${name}" reaches past the end of the file`);
      const bytes = new Uint8Array(end - begin);
      await read(bytes, 8 + headerBytes + begin);
      tensors.set(name, { type, shape, bytes });
    }
    return { tensors, metadata };
  } finally {
    await file.close();
  }
}

/**
 * Writes a safetensors file under a temporary name, forces it to the disk, and gives it its name: a reader sees the old
 * file or the new one, never a part.
 *
 * @throws TENSOR_FILE_NOT_VALID when a tensor's bytes do not fit its shape; DISK_FULL, FILE_NOT_PERMITTED
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: "pt", ...metadata } };
  let offset = 0;
  for (const [name, { type, shape, bytes }] of tensors) {
    const expected = elementsOf(shape) * ELEMENT_BYTES[type];
    if (bytes.length !== expected) {
      throw errors.tensorFileNotValid({
        path,
        problem: `tensor "${name}" has ${bytes.length} bytes, its shape wants ${expected}`,
      });
    }
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Data begins at a multiple of 8, so that other readers can map it.
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  const temporary = `${path}.tmp-${process.pid}`;
  await onFile(path, "write", async () => {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(Buffer.concat([prefix, padded]));
      for (const { bytes } of tensors.values()) {
        for (let at = 0; at < bytes.length; at += PIECE_BYTES)
          await file.writeFile(bytes.subarray(at, at + PIECE_BYTES));
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

/** A float32 array as a tensor; shares its memory. */
export function tensorOf(values: Float32Array, shape: readonly number[]): StoredTensor {
  return { type: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/**
 * A tensor's numbers as float32: a view of F32, a copy of BF16 and F16, which float32 holds exactly; undefined for
 * other types.
 */
export function float32Of({ type, bytes }: StoredTensor): Float32Array | undefined {
  if (type === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  if (type !== "BF16" && type !== "F16") return undefined;
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  if (type === "F16") return Float32Array.from(halves, halfToNumber);
  // A bfloat16 is the upper half of a float32.
  return new Float32Array(Uint32Array.from(halves, (half) => (half << 16) >>> 0).buffer);
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

interface Entry {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseHeader(header: Uint8Array, fail: (problem: string, cause?: unknown) => Error) {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (cause) {
    throw fail("its header is not JSON", cause);
  }
  if (!isRecord(json)) throw fail("its header is not an object");
  const { __metadata__: notes, ...rest } = json;
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(isRecord(notes) ? notes : {})) metadata[key] = String(value);
  const entries = Object.entries(rest).map(([name, entry]): Entry => {
    const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
    if (!isCounts(shape)) throw fail(`tensor "${name}" has no shape`);
    if (!isCounts(offsets) || offsets.length !== 2) throw fail(`tensor "${name}" has no data offsets`);
    if (!isTensorType(dtype)) throw fail(`tensor "${name}" has element type "${String(dtype)}"`);
    const [begin = 0, end = 0] = offsets;
    const expected = elementsOf(shape) * ELEMENT_BYTES[dtype];
    if (end - begin !== expected) throw fail(`tensor "${name}" has ${end - begin} bytes, its shape wants ${expected}`);
    return { name, type: dtype, shape, begin, end };
  });
  return { entries: entries.sort((a, b) => a.begin - b.begin), metadata };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

function isTensorType(value: unknown): value is TensorType {
  return typeof value === "string" && Object.hasOwn(ELEMENT_BYTES, value);
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, one) => product * one, 1);
}
