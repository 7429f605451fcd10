import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { errors } from "../errors.js";
import { onFile, writeFileAtomically } from "./durable-files.js";
import { TensorReader, writeSafetensors, type StoredTensor, type StreamedTensor } from "./safetensors.js";
import { bytesOf } from "./tensor-header.js";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const ANY_WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;

const index = z.looseObject({
  // Plain file names, so that an index never leads out of its folder.
  weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+$/, "a file name in the same folder is wanted")),
});

/** The weights of a Hugging Face folder, open: where each tensor lies. */
export interface TensorFolder {
  readonly files: ReadonlyMap<string, TensorReader>;
  close(): Promise<void>;
}

/** Whether a folder has weights in Hugging Face layout. */
export function hasWeights(directory: string): boolean {
  return existsSync(join(directory, SINGLE)) || existsSync(join(directory, INDEX));
}

/**
 * Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names, without reading tensors.
 *
 * @throws TENSOR_FILE_NOT_VALID naming the file, and the tensor that it lacks
 */
export async function openTensorFolder(directory: string): Promise<TensorFolder> {
  const indexPath = join(directory, INDEX);
  if (existsSync(join(directory, SINGLE)) || !existsSync(indexPath)) {
    const file = await TensorReader.open(join(directory, SINGLE));
    return { files: new Map(Array.from(file.tensors.keys(), (name) => [name, file])), close: () => file.close() };
  }
  const places = Object.entries(await readIndex(indexPath));
  const shards = new Map<string, TensorReader>();
  const close = async () => void (await Promise.all(Array.from(shards.values(), (shard) => shard.close())));
  try {
    for (const [first, name] of places) {
      if (shards.has(name)) continue;
      const path = join(directory, name);
      if (!existsSync(path)) {
        const wanted = places.filter(([, other]) => other === name).length;
        const problem = `the file is missing, and ${INDEX} wants ${wanted} tensors from it, first "${first}"`;
        throw errors.tensorFileNotValid({ path, problem });
      }
      shards.set(name, await TensorReader.open(path));
    }
    const files = new Map<string, TensorReader>();
    for (const shard of shards.values()) {
      for (const name of shard.tensors.keys()) files.set(name, shard);
    }
    for (const [tensor, name] of places) {
      const path = join(directory, name);
      if (!shards.get(name)?.tensors.has(tensor))
        throw errors.tensorFileNotValid({
          path,
          problem: `tensor "${tensor}" is missing, which ${INDEX} places there`,
        });
    }
    return { files, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/**
 * Writes `model.safetensors` into a folder, which is made when it is missing; with `maxShardBytes`, where the tensors are larger together, shards and their index.
 * Weights that the folder had before go when the new ones are whole.
 *
 * @throws DISK_FULL, FILE_NOT_PERMITTED, TENSOR_FILE_NOT_VALID
 */
export async function writeTensorFolder(
  directory: string,
  tensors: ReadonlyMap<string, StoredTensor | StreamedTensor>,
  maxShardBytes = Infinity,
): Promise<void> {
  await onFile(directory, "write", () => mkdir(directory, { recursive: true }));
  const shards: Map<string, StoredTensor | StreamedTensor>[] = [];
  let room = 0;
  for (const [name, tensor] of tensors) {
    const bytes = bytesOf(tensor);
    if (bytes > room || shards.length === 0) {
      shards.push(new Map());
      room = maxShardBytes;
    }
    shards.at(-1)?.set(name, tensor);
    room -= bytes;
  }
  const digits = (i: number) => String(i).padStart(5, "0");
  const names = shards.map((_, i) =>
    shards.length === 1 ? SINGLE : `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`,
  );
  for (const [i, shard] of shards.entries()) await writeSafetensors(join(directory, names[i] ?? SINGLE), shard);
  if (shards.length > 1) {
    const weightMap = shards.flatMap((shard, i) => Array.from(shard.keys(), (name) => [name, names[i]]));
    const content = {
      metadata: { total_size: [...tensors.values()].reduce((sum, tensor) => sum + bytesOf(tensor), 0) },
      weight_map: Object.fromEntries(weightMap),
    };
    await writeFileAtomically(join(directory, INDEX), `${JSON.stringify(content, null, 2)}\n`);
    names.push(INDEX);
  }
  for (const old of await readdir(directory)) {
    if (ANY_WEIGHTS.test(old) && !names.includes(old)) await rm(join(directory, old));
  }
}

async function readIndex(path: string): Promise<Readonly<Record<string, string>>> {
  const fail = (problem: string, cause: unknown) => errors.tensorFileNotValid({ path, problem }, cause);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw fail(`${basename(path)} is not JSON: ${String(cause)}`, cause);
  }
  const parsed = index.safeParse(json);
  if (parsed.success) return parsed.data.weight_map;
  const problem = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  throw fail(problem, parsed.error);
}
