import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TensorReader, writeFileAtomically, writeSafetensors, type LowRankOptions } from "@troupe/core/sdk";
import type { TensorPlace } from "./addon.js";
import { errors } from "./errors.js";
import { findTensors, streamTensors, type FoundTensors, type MoveFiles } from "./flat-tensors.js";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

/** Whether a folder holds an adapter in PEFT's layout. */
export function hasAdapter(directory: string): boolean {
  return existsSync(join(directory, CONFIG));
}

/** Writes `adapter_config.json` and `adapter_model.safetensors` in the layout of Hugging Face PEFT. */
export async function saveAdapter(
  directory: string,
  lora: LowRankOptions,
  places: readonly TensorPlace[],
  save: MoveFiles,
): Promise<void> {
  await writeSafetensors(join(directory, WEIGHTS), streamTensors(places, save), { format: "pt" });
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: null,
    r: lora.rank,
    lora_alpha: lora.alpha,
    target_modules: lora.targets,
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    modules_to_save: null,
    use_rslora: false,
    use_dora: false,
    inference_mode: true,
  };
  await writeFileAtomically(join(directory, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
}

/**
 * Opens an adapter's weights and checks config and tensors against the adapter that the engine was made with.
 *
 * @throws WEIGHTS_NOT_VALID naming the file and the field or tensor, TENSOR_FILE_NOT_VALID
 */
export async function openAdapter(
  directory: string,
  lora: LowRankOptions,
  places: readonly TensorPlace[],
  check: MoveFiles,
): Promise<FoundTensors & { close(): Promise<void> }> {
  checkConfig(join(directory, CONFIG), lora);
  const path = join(directory, WEIGHTS);
  const file = await TensorReader.open(path);
  try {
    const known = new Set(places.map((place) => place.name));
    const unknown = [...file.tensors.keys()].find((name) => !known.has(name));
    if (unknown !== undefined)
      throw errors.weightsNotValid({ path, problem: `tensor "${unknown}" has no place in this adapter` });
    const files = new Map(Array.from(file.tensors.keys(), (name) => [name, file]));
    return { ...(await findTensors(path, files, places, check)), close: () => file.close() };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

function checkConfig(path: string, lora: LowRankOptions): void {
  let found: Map<string, unknown>;
  try {
    found = new Map(Object.entries(Object(JSON.parse(readFileSync(path, "utf8")))));
  } catch (cause) {
    throw errors.weightsNotValid({ path, problem: "it is not JSON" }, cause);
  }
  const targets = found.get("target_modules");
  const wanted: Readonly<Record<string, unknown>> = {
    peft_type: "LORA",
    r: lora.rank,
    lora_alpha: lora.alpha,
    bias: "none",
    target_modules: lora.targets.toSorted(),
    use_rslora: false,
    use_dora: false,
  };
  found.set("target_modules", Array.isArray(targets) ? targets.map(String).toSorted() : targets);
  for (const [field, value] of Object.entries(wanted)) {
    const [text, wantedText] = [found.get(field) ?? false, value].map((one) => JSON.stringify(one));
    if (text !== wantedText)
      throw errors.weightsNotValid({ path, problem: `${field} is ${text}, the engine's adapter has ${wantedText}` });
  }
}
