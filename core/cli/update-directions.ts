import { resolve } from "node:path";
import { runsDirectory } from "../src/config/paths.js";
import { errors } from "../src/errors.js";
import { deriveKey, Random } from "../src/numerics/random.js";
import { AlignmentSums, type Alignment } from "../src/numerics/update-alignment.js";
import { findCheckpoint, latestCheckpoint } from "../src/store/checkpoint.js";
import { findRun } from "../src/store/run-directory.js";
import { hasWeights, openTensorFolder, type TensorFolder } from "../src/store/tensor-folder.js";
import { float32Of } from "../src/store/tensor-values.js";

/** How far one training moved the weights as another did, part by part. */
export interface UpdateDirection {
  readonly name: string;
  /** Layers in order, then what lies in none, then the whole under "". */
  readonly parts: ReadonlyMap<string, Alignment>;
}

/**
 * Compares where trainings of one start went, tensor by tensor, so that three of each lie in memory at once.
 *
 * @param updated as `start` and `reference` folders with weights, or runs: "7" is its newest checkpoint, "7@100" that of a step
 * @throws TENSOR_FILE_NOT_VALID, LENGTH_MISMATCH, RUN_NOT_FOUND, CHECKPOINT_NOT_FOUND
 */
export async function updateDirections(
  start: string,
  reference: string,
  updated: readonly string[],
): Promise<readonly UpdateDirection[]> {
  const open: TensorFolder[] = [];
  try {
    for (const place of [start, reference, ...updated]) open.push(await openTensorFolder(await folderOf(place)));
    const [from, to, ...others] = open;
    // One key for all: every update is held against the same random direction.
    const sums = updated.map(() => new AlignmentSums(new Random(deriveKey(1, "direction"))));
    for (const name of orderOf(from!)) {
      const [at, aim] = [await valuesOf(from!, name), await valuesOf(to!, name)];
      for (const [index, other] of others.entries())
        sums[index]!.add(partOf(name), { name, start: at, updated: await valuesOf(other, name), reference: aim });
    }
    return updated.map((name, index) => ({ name, parts: sums[index]!.alignments() }));
  } finally {
    for (const folder of open) await folder.close();
  }
}

/** The folder of weights that is meant: a path, a run's newest checkpoint, or the one of a step. */
async function folderOf(place: string): Promise<string> {
  if (hasWeights(resolve(place))) return resolve(place);
  const [wanted, step] = place.split("@");
  const run = await findRun(runsDirectory(), wanted);
  const checkpoint = step === undefined ? await latestCheckpoint(run) : await findCheckpoint(run, Number(step));
  if (!checkpoint) throw errors.checkpointNotFound({ run: run.id, step: undefined });
  return checkpoint.path;
}

/** Tensors by layer, in order; those of no layer last. */
function orderOf({ files }: TensorFolder): readonly string[] {
  return [...files.keys()].toSorted((a, b) => layerOf(a) - layerOf(b) || a.localeCompare(b));
}

function layerOf(name: string): number {
  const layer = /(?:^|\.)layers\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? Infinity : Number(layer);
}

function partOf(name: string): string {
  const layer = layerOf(name);
  return layer === Infinity ? name.replace(/^model\.|\.weight$/g, "") : `layer ${layer}`;
}

async function valuesOf({ files }: TensorFolder, name: string): Promise<Float32Array> {
  const reader = files.get(name);
  const entry = reader?.tensors.get(name);
  const values = reader && entry && float32Of({ type: entry.type, bytes: await reader.read(name) });
  // What is missing has no numbers, which the comparison refuses by name.
  return values ?? new Float32Array();
}
