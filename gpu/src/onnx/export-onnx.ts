import { basename, join } from "node:path";
import { openTensorFolder, readModelShape, writeFileAtomically } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { decoderGraph, type PlaceOf } from "./decoder-graph.js";

/** Name of the file that an export writes. */
export const ONNX_FILE = "model.onnx";

/**
 * Writes `model.onnx` into a policy's folder. Its weights are the folder's own safetensors files, which it names with
 * their offsets: nothing is copied, and the file has some kilobytes for any size. Move the folder as a whole.
 *
 * @param purpose "reward" for a folder of a reward model: `…ForSequenceClassification`, with `score.weight`
 * @returns the file's path
 * @throws MODEL_CONFIG_NOT_VALID, WEIGHTS_NOT_VALID naming file and tensor, TENSOR_FILE_NOT_VALID
 */
export async function exportOnnx(directory: string, purpose: "policy" | "reward" = "policy"): Promise<string> {
  const shape = readModelShape(directory, 0, purpose);
  const folder = await openTensorFolder(directory);
  try {
    const placeOf: PlaceOf = (name, wanted) => {
      const file = folder.files.get(name);
      const entry = file?.tensors.get(name);
      const fail = (problem: string) =>
        errors.weightsNotValid({ path: file?.path ?? directory, problem: `tensor "${name}" ${problem}` });
      if (!file || !entry) throw fail("is missing");
      const isRight =
        entry.shape.length === wanted.length && wanted.every((size, i) => size === 0 || size === entry.shape[i]);
      if (!isRight) throw fail(`has shape [${entry.shape.join(", ")}], wanted is [${wanted.join(", ")}]`);
      if (!["F32", "BF16", "F16"].includes(entry.type))
        throw fail(`has element type ${entry.type}, wanted is F32, BF16 or F16`);
      return { file: basename(file.path), ...file.placeOf(entry), type: entry.type, shape: entry.shape };
    };
    const graph = decoderGraph(shape, placeOf, { isReward: purpose === "reward" });
    const path = join(directory, ONNX_FILE);
    await writeFileAtomically(path, graph.encode("troupe"));
    return path;
  } finally {
    await folder.close();
  }
}
