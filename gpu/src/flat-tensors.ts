import {
  bfloat16Of,
  elementsOf,
  firstNotFinite,
  float32Of,
  type StreamedTensor,
  type TensorReader,
} from "@troupe/core/sdk";
import type { TensorPlace } from "./addon.js";
import { errors } from "./errors.js";

/** Gives `length` numbers of a flat array in native memory, from `offset` on. */
export type ReadFlat = (offset: number, length: number) => Promise<Float32Array>;

/** Puts numbers into a flat array in native memory, from `offset` on. */
export type WriteFlat = (offset: number, values: Float32Array) => Promise<void>;

/** Numbers that pass through JavaScript at once: a model is never in memory a second time. */
const PIECE = 1 << 22;

/** The tensors of a flat array, for a file: read piece by piece when they are written. */
export function streamTensors(
  places: readonly TensorPlace[],
  read: ReadFlat,
  prefix = "",
  elementType: "float32" | "bfloat16" = "float32",
): Map<string, StreamedTensor> {
  const isShort = elementType === "bfloat16";
  return new Map(
    places.map(({ name, offset, shape }) => [
      `${prefix}${name}`,
      {
        type: isShort ? "BF16" : "F32",
        shape,
        async *pieces() {
          for (const [from, length] of piecesOf(elementsOf(shape))) {
            const values = await read(offset + from, length);
            yield isShort ? bfloat16Of(values) : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
          }
        },
      },
    ]),
  );
}

/**
 * Checks that files hold every tensor, with its shape, in a type that float32 can hold, and no value that is not finite.
 *
 * @param files tensor name → the open file that has it
 * @throws WEIGHTS_NOT_VALID naming file and tensor, what was found and what is wanted; TENSOR_FILE_NOT_VALID
 */
export async function checkTensors(
  directory: string,
  files: ReadonlyMap<string, TensorReader>,
  places: readonly TensorPlace[],
  prefix = "",
): Promise<void> {
  for (const { name, shape } of places) {
    const label = `${prefix}${name}`;
    const file = files.get(label);
    const fail = (problem: string) =>
      errors.weightsNotValid({ path: file?.path ?? directory, problem: `tensor "${label}" ${problem}` });
    const entry = file?.tensors.get(label);
    if (!file || !entry) throw fail(`is missing, wanted with shape [${shape.join(", ")}]`);
    if (String(entry.shape) !== String(shape))
      throw fail(`has shape [${entry.shape.join(", ")}], wanted is [${shape.join(", ")}]`);
    for await (const [at, values] of valuesOf(file, label)) {
      const bad = values ? firstNotFinite(values) : -1;
      if (!values) throw fail(`has element type ${entry.type}, wanted is F32, BF16 or F16`);
      if (bad >= 0) throw fail(`holds ${values[bad]} at ${indexText(at + bad, shape)}, wanted are finite numbers`);
    }
  }
}

/** Copies tensors that were checked into a flat array. */
export async function transferTensors(
  files: ReadonlyMap<string, TensorReader>,
  places: readonly TensorPlace[],
  write: WriteFlat,
  prefix = "",
): Promise<void> {
  for (const { name, offset } of places) {
    const file = files.get(`${prefix}${name}`);
    if (!file) continue;
    for await (const [at, values] of valuesOf(file, `${prefix}${name}`)) if (values) await write(offset + at, values);
  }
}

/** A tensor's numbers piece by piece, each with the index of its first; undefined for a type that is not a float. */
async function* valuesOf(
  file: TensorReader,
  name: string,
): AsyncGenerator<readonly [number, Float32Array | undefined]> {
  const entry = file.tensors.get(name);
  if (!entry) return;
  const { type, shape, begin, end } = entry;
  const elementBytes = (end - begin) / elementsOf(shape);
  for (const [from, length] of piecesOf(elementsOf(shape))) {
    const bytes = await file.read(name, from * elementBytes, (from + length) * elementBytes);
    yield [from, float32Of({ type, bytes })];
  }
}

function* piecesOf(elements: number): Generator<readonly [number, number]> {
  for (let from = 0; from < elements; from += PIECE) yield [from, Math.min(PIECE, elements - from)];
}

/** Place of a flat index in a shape: [row, column]. */
function indexText(flat: number, shape: readonly number[]): string {
  const index: number[] = [];
  for (const size of shape.toReversed()) {
    index.unshift(flat % size);
    flat = Math.floor(flat / size);
  }
  return `[${index.join(", ")}]`;
}
