import {
  deriveKey,
  type Batch,
  type Completion,
  type Device,
  type EngineCapabilities,
  type EngineOptions,
  type GenerateOptions,
  type GenerateRequest,
  type LowRankOptions,
  type LossSpec,
  type ModelShape,
  type OptimizerStep,
  type PolicyEngine,
  type SaveOptions,
  type ScoreOptions,
  type Scores,
  type VocabularyBytes,
} from "@troupe/core/sdk";
import { hasAdapter, openAdapter, saveAdapter } from "./adapter-files.js";
import {
  ARRAY,
  callNative,
  FORMAT,
  nativeAddon,
  type CacheReport,
  type LearnerHandle,
  type NativeAddon,
  type TensorPlace,
} from "./addon.js";
import { errors } from "./errors.js";
import { transferTensors, type MoveFiles } from "./flat-tensors.js";
import { learnerOptions } from "./learner-options.js";
import { memoryOfProcess } from "./machine.js";
import { activationBytes, microBatchTokens } from "./micro-batches.js";
import { openOptimizer, openWeights, saveOptimizer, saveWeights } from "./model-files.js";
import type { NativeHandle } from "./native-handle.js";
import { NativeSampler } from "./native-sampler.js";
import { millions, readByName } from "./tensors-by-name.js";
import { trainOnBatch } from "./train-on-batch.js";

/**
 * A policy in native memory that is sampled and trained on this machine's CPU, or on its GPU.
 *
 * Calls that read or change the learner's weights run one after the other, in the order they were made; sampling and
 * scoring overlap with them.
 */
export class NativeEngine implements PolicyEngine {
  readonly capabilities: EngineCapabilities = { generate: true, score: true, train: true, zeroMismatch: true };
  readonly shape: ModelShape;
  readonly description: string;
  readonly kernelSet: string;
  /** Tokens of one micro-batch at most, longer single sequences apart. */
  readonly microBatchTokens: number;
  readonly #addon: NativeAddon;
  readonly #device: Device;
  readonly #learner: LearnerHandle;
  readonly #sampler: NativeSampler;
  /** Where the weights lie, and what is trained: they, or the adapter. */
  readonly #places: readonly TensorPlace[];
  readonly #trainable: readonly TensorPlace[];
  readonly #lora: LowRankOptions | undefined;
  readonly #storeId: number;
  readonly #threads: number;
  readonly #gpus: number;
  #isDisposed = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(learner: LearnerHandle, options: EngineOptions, threads: number) {
    const { shape, dtype = "fp32", device = "cpu", invariant = true, gpus = 1, training = {} } = options;
    const addon = nativeAddon(device);
    this.#addon = addon;
    this.#device = device;
    this.shape = shape;
    this.#learner = learner;
    this.#lora = options.lora;
    this.#threads = threads;
    this.#gpus = gpus;
    this.#storeId = addon.storeId(learner);
    this.#places = addon.tensors(learner);
    this.#trainable = addon.trainable(learner);
    this.kernelSet = `${addon.kernelSet(FORMAT[dtype])}${invariant ? "" : "/fast"}`;
    this.#sampler = new NativeSampler(device, this.kernelSet, () => addon.openStore(this.#storeId));
    this.microBatchTokens =
      training.microBatchTokens ??
      microBatchTokens(options, device === "cpu" ? undefined : activationBytes(this.#sampler.cache(), gpus));
    const adapter = options.lora ? `, of them ${millions(this.#trainable)} M trained in adapters` : "";
    const joined = gpus > 1 ? `${gpus} GPUs, ` : "";
    this.description = `native ${dtype}, ${this.kernelSet} kernels, ${joined}${threads} threads, ${millions(this.#places)} M parameters${adapter}`;
  }

  /**
   * A policy with random weights, published as version 0.
   *
   * @param options threads caps how many threads work at one call, all that the process may use when absent; dtype is
   *   what linear layers compute with, fp32 when absent; weights, gradients and moments are fp32 in any case; device is
   *   "cuda" for the first NVIDIA GPU, or the first `gpus`
   * @throws SHAPE_NOT_VALID, INPUT_NOT_VALID naming an adapter's target that matches nothing, how many GPUs there are, or the
   *   library that the fast mode or several GPUs lack, KERNELS_NOT_AVAILABLE, NATIVE_ADDON_MISSING, CUDA_NOT_BUILT, DEVICE_MISSING
   */
  static async create(options: EngineOptions): Promise<NativeEngine> {
    const { shape, seed, device = "cpu", invariant = true, gpus = 1 } = options;
    if (options.dtype !== undefined && !Object.hasOwn(FORMAT, options.dtype)) {
      const names = Object.keys(FORMAT).join(" or ");
      throw errors.inputNotValid({ action: "create an engine", problem: `dtype is "${options.dtype}", not ${names}` });
    }
    if (!invariant && device === "cpu") {
      const problem = 'invariant is false, and only device "cuda" has a fast mode';
      throw errors.inputNotValid({ action: "create an engine", problem });
    }
    if (!Number.isInteger(gpus) || gpus < 1 || (gpus > 1 && device === "cpu")) {
      const problem =
        device === "cpu"
          ? `gpus is ${gpus}, and device is "cpu": give device "cuda", or leave gpus 1`
          : `gpus is ${gpus}, a whole number from 1 on is wanted`;
      throw errors.inputNotValid({ action: "create an engine", problem });
    }
    const addon = nativeAddon(device);
    const { threads = addon.threads() } = options;
    // On a GPU the native side knows how much memory is left.
    const { cacheBytes = device === "cpu" ? memoryOfProcess() / 4 : undefined } = options;
    const key = Uint32Array.from(deriveKey(seed, "weights"));
    const learner = await callNative("create an engine", () =>
      addon.createLearner(shape, key, learnerOptions(options)),
    );
    const engine = new NativeEngine(learner, options, Math.min(threads, addon.threads()));
    if (cacheBytes !== undefined) engine.#sampler.limitCache(cacheBytes);
    return engine;
  }

  version(): number {
    return this.#sampler.version();
  }

  generate(requests: readonly GenerateRequest[], options?: GenerateOptions): Promise<readonly Completion[]> {
    return this.#sampler.generate(requests, options);
  }

  setVocabulary(vocabulary: VocabularyBytes): void {
    this.#sampler.setVocabulary(vocabulary);
  }

  /** Versions in memory that processes share: the live one, older ones that are kept, and those that calls elsewhere were last seen to use. */
  heldVersions(): number {
    return this.#sampler.heldVersions();
  }

  /** The key/value cache of the samplers in this process. */
  cache(): CacheReport {
    return this.#sampler.cache();
  }

  score(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number, options?: ScoreOptions): Promise<Scores> {
    return this.#sampler.score(tokens_N, offsets_S1, temperature, options);
  }

  /**
   * Adds the gradient of a batch's loss, in micro-batches of whole sequences; metrics of the parts are combined. Several GPUs
   * each take a run of them and compute at the same time; what fails on one is thrown when all have ended.
   *
   * @throws INPUT_NOT_VALID, SHAPE_NOT_VALID, VALUE_NOT_FINITE; gradients of earlier micro-batches stay added
   */
  forwardBackward(batch: Batch, loss: LossSpec): Promise<Readonly<Record<string, number>>> {
    const cut = { microBatchTokens: this.microBatchTokens, gpus: this.#gpus };
    return this.#inOrder("train on a batch", (learner) => trainOnBatch(this.#addon, learner, batch, loss, cut));
  }

  /** @throws VALUE_NOT_FINITE naming the first bad tensor; weights are unchanged then and the gradients cleared */
  optimStep(step: OptimizerStep): Promise<{ readonly gradNorm: number }> {
    return this.#inOrder("update weights", async (learner) => ({
      gradNorm: await this.#addon.learnerStep(learner, step),
    }));
  }

  resetOptimizer(): void {
    void this.#inOrder("reset the optimizer", (learner) => this.#addon.resetOptimizer(learner));
  }

  publish(version?: number): Promise<number> {
    return this.#inOrder("publish", (learner) => this.#addon.publish(learner, version ?? -1));
  }

  keepReference(): Promise<void> {
    return this.#inOrder("keep a reference", (learner) => this.#addon.keepReference(learner));
  }

  scoreReference(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number): Promise<Scores> {
    return this.#inOrder("score under the reference", (learner) =>
      this.#addon.scoreReference(learner, tokens_N, offsets_S1, temperature),
    );
  }

  handle(): NativeHandle {
    const shared = this.#sampler.sharedHandle;
    return {
      engine: "troupe-native",
      process: process.pid,
      store: this.#storeId,
      device: this.#device,
      kernelSet: this.kernelSet,
      shared,
    };
  }

  /** Makes the folder when it is missing. @throws DISK_FULL, FILE_NOT_PERMITTED */
  save(directory: string, options: SaveOptions = {}): Promise<void> {
    return this.#inOrder("save", async (learner) => {
      const addon = this.#addon;
      const from =
        (array: number): MoveFiles =>
        (tensors) =>
          addon.saveFiles(learner, array, tensors, this.#threads);
      if (this.#lora && !options.merged) await saveAdapter(directory, this.#lora, this.#trainable, from(ARRAY.adapter));
      else await saveWeights(directory, this.shape, this.#places, from(ARRAY.merged), options);
      if (!options.optimizer) return;
      await saveOptimizer(directory, this.#trainable, {
        firstMoments: from(ARRAY.firstMoments),
        secondMoments: from(ARRAY.secondMoments),
        steps: addon.stepCount(learner),
      });
    });
  }

  /**
   * Replaces the learner's weights, and with `optimizer` its moments; samplers see them after the next `publish`.
   * Everything is read and checked before anything changes, then read again, now from the system's cache.
   *
   * @throws WEIGHTS_NOT_VALID naming file and tensor, TENSOR_FILE_NOT_VALID, MODEL_CONFIG_NOT_VALID
   */
  load(directory: string, options: { optimizer?: boolean } = {}): Promise<void> {
    return this.#inOrder("load", async (learner) => {
      const addon = this.#addon;
      const into =
        (array: number): MoveFiles =>
        (tensors) =>
          addon.loadFiles(learner, array, tensors, this.#threads);
      const check: MoveFiles = (tensors) => addon.checkFiles(tensors, this.#threads);
      const open = [];
      try {
        const isAdapter = this.#lora !== undefined && hasAdapter(directory);
        const places = isAdapter ? this.#trainable : this.#places;
        const weights =
          this.#lora && isAdapter
            ? await openAdapter(directory, this.#lora, places, check)
            : await openWeights(directory, this.shape, places, check);
        open.push(weights);
        const optimizer = options.optimizer ? await openOptimizer(directory, this.#trainable, check) : undefined;
        if (optimizer) open.push(optimizer);
        await transferTensors(weights, into(isAdapter ? ARRAY.adapter : ARRAY.weights));
        await addon.packWeights(learner);
        if (!optimizer) return;
        for (const name of ["firstMoments", "secondMoments"] as const)
          await transferTensors(optimizer[name], into(ARRAY[name]));
        addon.setStepCount(learner, optimizer.steps);
      } finally {
        for (const file of open) await file.close();
      }
    });
  }

  /** Gradients of what is trained by tensor name, as added up so far; for tests and diagnostics. */
  gradients(): Promise<ReadonlyMap<string, Float32Array>> {
    return this.#inOrder("read gradients", (learner) =>
      readByName(this.#addon, learner, ARRAY.gradients, this.#trainable),
    );
  }

  /** The learner's weights by tensor name; with an adapter, those beneath it. */
  weights(): Promise<ReadonlyMap<string, Float32Array>> {
    return this.#inOrder("read weights", (learner) => readByName(this.#addon, learner, ARRAY.weights, this.#places));
  }

  /** The adapter's tensors by PEFT's names; empty without one. */
  adapter(): Promise<ReadonlyMap<string, Float32Array>> {
    const places = this.#lora ? this.#trainable : [];
    return this.#inOrder("read the adapter", (learner) => readByName(this.#addon, learner, ARRAY.adapter, places));
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#sampler.dispose();
    this.#addon.releaseLearner(this.#learner);
  }

  /** Runs `task` after all tasks before it; its failure is its own. */
  #inOrder<T>(action: string, task: (learner: LearnerHandle) => T | Promise<T>): Promise<T> {
    const run = this.#last.then(() => {
      if (this.#isDisposed) throw errors.engineGone({ action, problem: "the engine was disposed" });
      return callNative(action, () => task(this.#learner));
    });
    this.#last = run.catch(() => undefined);
    return run;
  }
}
