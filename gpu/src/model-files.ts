import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  hubConfigOf,
  openTensorFolder,
  readModelShape,
  TensorReader,
  writeFileAtomically,
  writeSafetensors,
  writeTensorFolder,
  type ModelShape,
  type SaveOptions,
} from "@troupe/core/sdk";
import type { TensorPlace } from "./addon.js";
import { errors } from "./errors.js";
import { findTensors, streamTensors, type FoundTensors, type MoveFiles } from "./flat-tensors.js";

/** Adam's moments and the number of updates behind them. */
export interface OptimizerState {
  readonly firstMoments: MoveFiles;
  readonly secondMoments: MoveFiles;
  readonly steps: number;
}

/** An open `optimizer.safetensors`, checked. */
export interface OptimizerFile {
  readonly firstMoments: FoundTensors;
  readonly secondMoments: FoundTensors;
  readonly steps: number;
  close(): Promise<void>;
}

/** What stands before a tensor's name in `optimizer.safetensors`. */
const MOMENT_PREFIXES = { firstMoments: "exp_avg.", secondMoments: "exp_avg_sq." } as const;

/** A buffer that old Llama checkpoints carry and that follows from the config. */
const DERIVED = /\.rotary_emb\.inv_freq$/;

/** Writes `config.json` and the weights, in one file or in shards, each file whole or not at all. */
export async function saveWeights(
  directory: string,
  shape: ModelShape,
  places: readonly TensorPlace[],
  save: MoveFiles,
  { elementType = "float32", maxShardBytes }: SaveOptions,
): Promise<void> {
  await writeTensorFolder(directory, streamTensors(places, save, "", elementType), maxShardBytes);
  await writeFileAtomically(
    join(directory, "config.json"),
    `${JSON.stringify(hubConfigOf(shape, elementType), null, 2)}\n`,
  );
}

/** Writes `optimizer.safetensors`: both moments of every tensor, and the number of updates. */
export async function saveOptimizer(
  directory: string,
  places: readonly TensorPlace[],
  state: OptimizerState,
): Promise<void> {
  const tensors = new Map([
    ...streamTensors(places, state.firstMoments, MOMENT_PREFIXES.firstMoments),
    ...streamTensors(places, state.secondMoments, MOMENT_PREFIXES.secondMoments),
  ]);
  await writeSafetensors(join(directory, "optimizer.safetensors"), tensors, { steps: String(state.steps) });
}

/**
 * Opens a folder's weights and checks all of them: one file or shards, float32, bfloat16 or float16; `config.json`,
 * where there is one, must tell of the same shape.
 *
 * @throws WEIGHTS_NOT_VALID naming the file and the tensor or field, TENSOR_FILE_NOT_VALID, MODEL_CONFIG_NOT_VALID
 */
export async function openWeights(
  directory: string,
  shape: ModelShape,
  places: readonly TensorPlace[],
  check: MoveFiles,
): Promise<FoundTensors & { close(): Promise<void> }> {
  checkConfig(directory, shape);
  const folder = await openTensorFolder(directory);
  try {
    const known = new Set(places.map((place) => place.name));
    // Checkpoints of tied models may carry the head a second time.
    if (shape.tieEmbeddings) known.add("lm_head.weight");
    for (const [name, file] of folder.files) {
      if (!known.has(name) && !DERIVED.test(name))
        throw errors.weightsNotValid({ path: file.path, problem: `tensor "${name}" has no place in this model` });
    }
    return { ...(await findTensors(directory, folder.files, places, check)), close: () => folder.close() };
  } catch (cause) {
    await folder.close();
    throw cause;
  }
}

/** @throws WEIGHTS_NOT_VALID naming the tensor, TENSOR_FILE_NOT_VALID */
export async function openOptimizer(
  directory: string,
  places: readonly TensorPlace[],
  check: MoveFiles,
): Promise<OptimizerFile> {
  const path = join(directory, "optimizer.safetensors");
  const file = await TensorReader.open(path);
  try {
    const steps = Number(file.metadata["steps"]);
    if (!Number.isSafeInteger(steps) || steps < 0)
      throw errors.weightsNotValid({ path, problem: "it has no step count" });
    const files = new Map(Array.from(file.tensors.keys(), (name) => [name, file]));
    const find = (moments: keyof typeof MOMENT_PREFIXES) =>
      findTensors(path, files, places, check, MOMENT_PREFIXES[moments]);
    const [firstMoments, secondMoments] = [await find("firstMoments"), await find("secondMoments")];
    return { firstMoments, secondMoments, steps, close: () => file.close() };
  } catch (cause) {
    await file.close();
    throw cause;
  }
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
