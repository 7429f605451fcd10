import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { onFile } from "./durable-files.js";
import { TensorReader } from "./safetensors.js";
import { float32Of } from "./tensor-values.js";

/** File of a checkpoint → SHA-256 of its bytes, hexadecimal: what tells whether two policies are the same, bit for bit. */
export type TensorDigests = Readonly<Record<string, string>>;

/** Where two files of tensors part. */
export interface TensorDifference {
  readonly file: string;
  /** First tensor, in the order of its data, that is not the same; "" when a file has other tensors than its counterpart. */
  readonly tensor: string;
  /** First of its values that is not the same bits, in row-major order. */
  readonly index: number;
  readonly recorded: number;
  readonly replayed: number;
  /** Values of the whole file that are not the same bits. */
  readonly differing: number;
}

/**
 * Digests of a folder's safetensors files: weights or adapter, and the optimizer's moments.
 * @throws FILE_NOT_PERMITTED
 */
export async function tensorDigests(directory: string): Promise<TensorDigests> {
  const digests: Record<string, string> = {};
  for (const file of await tensorFiles(directory)) {
    const hash = createHash("sha256");
    await onFile(join(directory, file), "read", async () => {
      for await (const piece of createReadStream(join(directory, file), { highWaterMark: 1 << 20 })) hash.update(piece);
    });
    digests[file] = hash.digest("hex");
  }
  return digests;
}

/** Number of values in a folder's safetensors files. @throws TENSOR_FILE_NOT_VALID */
export async function countValues(directory: string): Promise<number> {
  let values = 0;
  for (const file of await tensorFiles(directory)) {
    const reader = await TensorReader.open(join(directory, file));
    for (const { shape } of reader.tensors.values()) values += shape.reduce((product, size) => product * size, 1);
    await reader.close();
  }
  return values;
}

/**
 * Compares one file of two folders value by value; undefined when all are the same bits.
 * @throws TENSOR_FILE_NOT_VALID
 */
export async function compareTensors(
  recorded: string,
  replayed: string,
  file: string,
): Promise<TensorDifference | undefined> {
  const one = await TensorReader.open(join(recorded, file));
  const other = await TensorReader.open(join(replayed, file)).catch(async (cause: unknown) => {
    await one.close();
    throw cause;
  });
  try {
    let found: TensorDifference | undefined;
    for (const { name } of one.tensors.values()) {
      if (!other.tensors.has(name)) return { ...NOTHING, file };
      const [a, b] = [words(await one.read(name)), words(await other.read(name))];
      for (let i = 0; i < a.length; i++) {
        if (a[i] === b[i]) continue;
        const at = { file, tensor: name, index: i, recorded: float(a, i), replayed: float(b, i), differing: 0 };
        found = { ...(found ?? at), differing: (found?.differing ?? 0) + 1 };
      }
    }
    return found;
  } finally {
    await one.close();
    await other.close();
  }
}

const NOTHING = { tensor: "", index: 0, recorded: NaN, replayed: NaN, differing: 0 };

/** As 32-bit words: checkpoints hold float32. */
function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / 4));
}

function float(values: Uint32Array, index: number): number {
  const bytes = new Uint8Array(values.buffer, values.byteOffset + 4 * index, 4);
  return float32Of({ type: "F32", bytes })?.[0] ?? NaN;
}

async function tensorFiles(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith(".safetensors")).toSorted();
}
