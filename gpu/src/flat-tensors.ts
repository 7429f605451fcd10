import { getSystemErrorName } from "node:util";
import { elementsOf, type StreamedTensor, type TensorEntry, type TensorReader } from "@troupe/core/sdk";
import { ELEMENT, FILE_PROBLEM, type FileFault, type FileTensor, type TensorPlace } from "./addon.js";
import { errors } from "./errors.js";

/** Moves tensors between open files and a flat array in native memory, or only looks through the files. */
export type MoveFiles = (tensors: readonly FileTensor[]) => Promise<FileFault | undefined>;

/** Tensors of open files that fit the places of a flat array. */
export interface FoundTensors {
  readonly tensors: readonly FileTensor[];
  /** What is wrong, in words that name file and tensor. */
  readonly failure: (fault: FileFault) => Error;
}

/** The tensors of a flat array, for a file: written from native memory, at their places in the file. */
export function streamTensors(
  places: readonly TensorPlace[],
  save: MoveFiles,
  prefix = "",
  elementType: "float32" | "bfloat16" = "float32",
): Map<string, StreamedTensor> {
  const type = elementType === "bfloat16" ? "BF16" : "F32";
  return new Map(
    places.map(({ name, offset, shape }) => [
      `${prefix}${name}`,
      {
        type,
        shape,
        writeTo: async (file, position) => {
          const length = elementsOf(shape);
          const fault = await save([{ file, element: ELEMENT[type], position, offset, length }]);
          if (fault) throw systemError(fault);
        },
      },
    ]),
  );
}

/**
 * Checks that files hold every tensor, with its shape, in a type that float32 can hold, and no value that is not finite.
 *
 * @param files tensor name → the open file that has it
 * @param check looks through the files' numbers
 * @throws WEIGHTS_NOT_VALID naming file and tensor, what was found and what is wanted; TENSOR_FILE_NOT_VALID
 */
export async function findTensors(
  directory: string,
  files: ReadonlyMap<string, TensorReader>,
  places: readonly TensorPlace[],
  check: MoveFiles,
  prefix = "",
): Promise<FoundTensors> {
  const found = places.map((place) => {
    const label = `${prefix}${place.name}`;
    const file = files.get(label);
    const fail = (problem: string) =>
      errors.weightsNotValid({ path: file?.path ?? directory, problem: `tensor "${label}" ${problem}` });
    const entry = file?.tensors.get(label);
    if (!file || !entry) throw fail(`is missing, wanted with shape [${place.shape.join(", ")}]`);
    if (String(entry.shape) !== String(place.shape))
      throw fail(`has shape [${entry.shape.join(", ")}], wanted is [${place.shape.join(", ")}]`);
    const element = elementOf(entry);
    if (element === undefined) throw fail(`has element type ${entry.type}, wanted is F32, BF16 or F16`);
    const tensor = {
      file: file.descriptor,
      element,
      position: file.placeOf(entry).offset,
      offset: place.offset,
      length: elementsOf(place.shape),
    };
    return { tensor, file, shape: place.shape, fail };
  });
  const failure = (fault: FileFault): Error => {
    const at = found[fault.tensor];
    if (!at || fault.problem === FILE_PROBLEM.fails) return systemError(fault);
    if (fault.problem === FILE_PROBLEM.ends) return at.file.failure("it ends early");
    return at.fail(`holds ${fault.value} at ${indexText(fault.index, at.shape)}, wanted are finite numbers`);
  };
  const tensors = found.map(({ tensor }) => tensor);
  const fault = await check(tensors);
  if (fault) throw failure(fault);
  return { tensors, failure };
}

/** Fills the places of a flat array. @throws as `findTensors`, where a file has changed since */
export async function transferTensors({ tensors, failure }: FoundTensors, load: MoveFiles): Promise<void> {
  const fault = await load(tensors);
  if (fault) throw failure(fault);
}

function elementOf({ type }: TensorEntry): number | undefined {
  return type === "F32" || type === "BF16" || type === "F16" ? ELEMENT[type] : undefined;
}

function systemError({ error }: FileFault): Error {
  const code = error === 0 ? "EIO" : getSystemErrorName(-error);
  return Object.assign(new Error(`${code}: the system moved no bytes`), { code });
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
