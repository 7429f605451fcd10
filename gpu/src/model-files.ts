import { existsSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import {
  float32Of,
  hubConfigOf,
  readModelShape,
  readSafetensors,
  tensorOf,
  writeSafetensors,
  type ModelShape,
  type StoredTensor,
} from "@troupe/core/sdk";
import type { TensorPlace } from "./addon.js";
import { errors } from "./errors.js";

/** Adam's moments and the number of updates behind them. */
export interface OptimizerState {
  readonly firstMoments: Float32Array;
  readonly secondMoments: Float32Array;
  readonly steps: number;
}

const PREFIXES = { firstMoments: "exp_avg.", secondMoments: "exp_avg_sq." } as const;

/** Writes `config.json` and `model.safetensors`, each whole or not at all. */
export async function saveWeights(
  directory: string,
  shape: ModelShape,
  places: readonly TensorPlace[],
  weights: Float32Array,
): Promise<void> {
  await writeSafetensors(join(directory, "model.safetensors"), tensorsOf(places, weights, ""));
  await writeJson(join(directory, "config.json"), hubConfigOf(shape));
}

/** Writes `optimizer.safetensors`: both moments of every tensor, and the number of updates. */
export async function saveOptimizer(
  directory: string,
  places: readonly TensorPlace[],
  state: OptimizerState,
): Promise<void> {
  const tensors = new Map([
    ...tensorsOf(places, state.firstMoments, PREFIXES.firstMoments),
    ...tensorsOf(places, state.secondMoments, PREFIXES.secondMoments),
  ]);
  await writeSafetensors(join(directory, "optimizer.safetensors"), tensors, { steps: String(state.steps) });
}

/**
 * Reads `model.safetensors` into the flat array; `config.json`, where there is one, must tell of the same shape.
 *
 * @throws WEIGHTS_NOT_VALID naming the tensor or field, TENSOR_FILE_NOT_VALID
 */
export async function loadWeights(
  directory: string,
  shape: ModelShape,
  places: readonly TensorPlace[],
): Promise<Float32Array> {
  checkConfig(directory, shape);
  const path = join(directory, "model.safetensors");
  const { tensors } = await readSafetensors(path);
  const found = new Map(tensors);
  // Checkpoints of tied models may carry the head a second time.
  if (shape.tieEmbeddings) found.delete("lm_head.weight");
  const values = gather(path, found, places, "");
  const known = new Set(places.map((place) => place.name));
  const unknown = [...found.keys()].find((name) => !known.has(name));
  if (unknown !== undefined)
    throw errors.weightsNotValid({ path, problem: `tensor "${unknown}" has no place in this model` });
  return values;
}

/** @throws WEIGHTS_NOT_VALID naming the tensor, TENSOR_FILE_NOT_VALID */
export async function loadOptimizer(directory: string, places: readonly TensorPlace[]): Promise<OptimizerState> {
  const path = join(directory, "optimizer.safetensors");
  const { tensors, metadata } = await readSafetensors(path);
  const steps = Number(metadata["steps"]);
  if (!Number.isSafeInteger(steps) || steps < 0)
    throw errors.weightsNotValid({ path, problem: "it has no step count" });
  return {
    firstMoments: gather(path, tensors, places, PREFIXES.firstMoments),
    secondMoments: gather(path, tensors, places, PREFIXES.secondMoments),
    steps,
  };
}

function tensorsOf(places: readonly TensorPlace[], flat: Float32Array, prefix: string): Map<string, StoredTensor> {
  return new Map(
    places.map(({ name, offset, shape }) => [
      `${prefix}${name}`,
      tensorOf(flat.subarray(offset, offset + elementsOf(shape)), shape),
    ]),
  );
}

function gather(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  places: readonly TensorPlace[],
  prefix: string,
): Float32Array {
  const last = places.at(-1);
  const flat = new Float32Array(last ? last.offset + elementsOf(last.shape) : 0);
  for (const { name, offset, shape } of places) {
    const label = `${prefix}${name}`;
    const tensor = tensors.get(label);
    if (!tensor) throw errors.weightsNotValid({ path, problem: `tensor "${label}" is missing` });
    if (String(tensor.shape) !== String(shape)) {
      throw errors.weightsNotValid({
        path,
        problem: `tensor "${label}" has shape [${tensor.shape.join(", ")}], wanted is [${shape.join(", ")}]`,
      });
    }
    const values = float32Of(tensor);
    if (!values) throw errors.weightsNotValid({ path, problem: `tensor "${label}" has element type ${tensor.type}` });
    flat.set(values, offset);
  }
  return flat;
}

function checkConfig(directory: string, shape: ModelShape): void {
  // Weights alone are enough: their names and shapes are checked one by one.
  if (!existsSync(join(directory, "config.json"))) return;
  // How far positions reach changes no weight.
  const found = new Map(Object.entries({ ropeScaling: "none", ...readModelShape(directory), maxPositions: "any" }));
  for (const [field, wanted] of Object.entries({ ropeScaling: "none", ...shape, maxPositions: "any" })) {
    const [text, wantedText] = [found.get(field), wanted].map((value) => JSON.stringify(value));
    if (text !== wantedText) {
      throw errors.weightsNotValid({
        path: join(directory, "config.json"),
        problem: `it tells of ${field} ${text}, the engine has ${wantedText}`,
      });
    }
  }
}

async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  const file = await open(temporary, "w");
  try {
    await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, one) => product * one, 1);
}
