import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  readModelShape,
  z,
  type Completion,
  type EngineCapabilities,
  type EngineOptions,
  type GenerateOptions,
  type GenerateRequest,
  type ModelShape,
  type PolicyEngine,
  type ScoreOptions,
  type Scores,
} from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { ONNX_FILE } from "./export-onnx.js";
import { OnnxSampler } from "./onnx-sampler.js";
import type { OnnxModel } from "./protocol.js";
import { onnxProviders, onnxRuntimePath } from "./runtime.js";

const handleSchema = z.object({
  engine: z.literal("troupe-onnx"),
  directory: z.string(),
  threads: z.int(),
  version: z.int(),
});

/** What `handle()` gives: plain data that names an exported policy. */
export type OnnxHandle = z.output<typeof handleSchema>;

/**
 * A policy exported by `exportOnnx`, for sampling and scoring; made empty, it gets its model from `load`. Every sampler
 * attached to it has a process and a copy of the weights of its own.
 */
export class OnnxEngine implements PolicyEngine {
  readonly capabilities: EngineCapabilities = { generate: true, score: true, train: false, zeroMismatch: false };
  readonly shape: ModelShape;
  readonly description: string;
  readonly kernelSet = "onnxruntime";
  readonly #threads: number;
  #directory: string | undefined;
  #version = 0;
  #sampler: OnnxSampler | undefined;

  /** @throws ONNX_RUNTIME_MISSING, TRAINING_NOT_SUPPORTED when an adapter is asked for */
  constructor({ shape, threads = 1, lora }: EngineOptions) {
    if (lora) throw errors.trainingNotSupported({ action: "train an adapter" });
    onnxRuntimePath();
    this.shape = shape;
    this.#threads = threads;
    this.description = `ONNX Runtime, ${threads} threads for each sampler`;
  }

  version(): number {
    return this.#version;
  }

  async generate(requests: readonly GenerateRequest[], options?: GenerateOptions): Promise<readonly Completion[]> {
    return this.#open("generate").generate(requests, options);
  }

  async score(
    tokens_N: Int32Array,
    offsets_S1: Int32Array,
    temperature: number,
    options?: ScoreOptions,
  ): Promise<Scores> {
    return this.#open("score").score(tokens_N, offsets_S1, temperature, options);
  }

  /** Nothing to keep: these weights never change. */
  async keepReference(): Promise<void> {}

  scoreReference(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number): Promise<Scores> {
    return this.score(tokens_N, offsets_S1, temperature);
  }

  /**
   * Takes the model of a folder: `config.json`, the weights, and `model.onnx`.
   *
   * @throws ONNX_MODEL_NOT_VALID, MODEL_CONFIG_NOT_VALID, WEIGHTS_NOT_VALID
   */
  async load(directory: string): Promise<void> {
    checkFolder(directory, this.shape);
    this.#directory = resolve(directory);
    this.dispose();
  }

  /** Copies what was loaded: config, weights and `model.onnx`. */
  async save(directory: string): Promise<void> {
    const source = this.#loaded("save");
    await mkdir(directory, { recursive: true });
    for (const name of await readdir(source)) {
      if (/^(config\.json|model.*\.(onnx|safetensors|safetensors\.index\.json))$/.test(name))
        await copyFile(join(source, name), join(directory, name));
    }
  }

  async publish(version = this.#version + 1): Promise<number> {
    this.#version = version;
    this.dispose();
    return version;
  }

  handle(): OnnxHandle {
    const directory = this.#loaded("attach a sampler");
    return { engine: "troupe-onnx", directory, threads: this.#threads, version: this.#version };
  }

  async forwardBackward(): Promise<never> {
    throw errors.trainingNotSupported({ action: "train on a batch" });
  }

  async optimStep(): Promise<never> {
    throw errors.trainingNotSupported({ action: "update weights" });
  }

  resetOptimizer(): never {
    throw errors.trainingNotSupported({ action: "reset the optimizer" });
  }

  dispose(): void {
    this.#sampler?.dispose();
    this.#sampler = undefined;
  }

  #open(action: string): OnnxSampler {
    const directory = this.#loaded(action);
    this.#sampler ??= new OnnxSampler(modelIn(directory, this.shape, this.#threads), this.#version);
    return this.#sampler;
  }

  #loaded(action: string): string {
    if (this.#directory === undefined)
      throw errors.inputNotValid({ action, problem: "the onnx engine has no model yet; policy.from must hold one" });
    return this.#directory;
  }
}

/** Makes an engine for an exported policy; `load` gives it its model. */
export async function createEngine(options: EngineOptions): Promise<PolicyEngine> {
  return new OnnxEngine(options);
}

/**
 * A sampler of an exported policy, in any thread or process of this machine.
 *
 * @throws HANDLE_NOT_VALID, ONNX_MODEL_NOT_VALID, ONNX_RUNTIME_MISSING
 */
export function attachSampler(handle: unknown): OnnxSampler {
  const parsed = handleSchema.safeParse(handle);
  if (!parsed.success) throw errors.handleNotValid({ found: JSON.stringify(handle) ?? String(handle) });
  const { directory, threads, version } = parsed.data;
  return new OnnxSampler(modelIn(directory, readModelShape(directory), threads), version);
}

function modelIn(directory: string, shape: ModelShape, threads: number): OnnxModel {
  checkFolder(directory, shape);
  return { path: join(directory, ONNX_FILE), shape, threads, providers: onnxProviders() };
}

function checkFolder(directory: string, shape: ModelShape): void {
  const path = join(directory, ONNX_FILE);
  if (!existsSync(path)) throw errors.onnxModelNotValid({ path, problem: "the file is missing" });
  const found = readModelShape(directory);
  for (const field of ["vocabSize", "layers", "kvHeads", "headSize"] as const) {
    if (found[field] !== shape[field]) {
      const problem = `config.json tells of ${field} ${found[field]}, the engine has ${shape[field]}`;
      throw errors.onnxModelNotValid({ path, problem });
    }
  }
}
