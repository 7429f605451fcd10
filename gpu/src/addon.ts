// This is one file, over 300 lines, to be compared with native/troupe.h and native/binding.cc, whose numbers and functions it lists.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { ComputeType, Device, ModelShape, OptimizerStep, Scores } from "@troupe/core/sdk";
import { errors } from "./errors.js";

// Brands without a value: what crosses from native code is opaque here.
declare const learnerBrand: unique symbol;
declare const storeBrand: unique symbol;
declare const abortBrand: unique symbol;

/** Weights, gradients and optimizer state in native memory. */
export interface LearnerHandle {
  readonly [learnerBrand]: true;
}

/** Published weights in native memory, shared by all threads of the process. */
export interface StoreHandle {
  readonly [storeBrand]: true;
}

/** A flag that ends a native call early. */
export interface AbortHandle {
  readonly [abortBrand]: true;
}

/** Numbers of the flat arrays in `TrArray`. */
export const ARRAY = { weights: 0, gradients: 1, firstMoments: 2, secondMoments: 3, adapter: 4, merged: 5 } as const;

/** Numbers of what linear layers compute with, in `TrFormat`. */
export const FORMAT = { fp32: 0, bf16: 1 } as const satisfies Readonly<Record<ComputeType, number>>;

/** Numbers in `TrStopReason`, in order. */
export const STOP_REASONS = ["stop", "length", "aborted"] as const;

/** Numbers in `TrRecompute`, in order. */
export const RECOMPUTE = ["nothing", "feed-forward", "layers"] as const;

/** `TrLearnerOptions`. */
export interface LearnerOptions {
  readonly threads: number;
  readonly recompute: number;
  readonly format: number;
  /** On a GPU cuBLASLt computes the linear layers' gradients. */
  readonly fastGradients: boolean;
  /** GPUs that train and sample together. */
  readonly ranks: number;
  /** 0: none. */
  readonly adapterRank: number;
  readonly adapterAlpha: number;
  /** Separated by spaces. */
  readonly adapterTargets: string;
  readonly shared: boolean;
  readonly blank: boolean;
  readonly olderVersions: number;
}

/** Numbers in `TrMemoryKind`, in order. */
export const MEMORY_KINDS = ["weights", "gradients", "optimizer", "activations", "vocabulary", "cache"] as const;

/** `TrMemoryUse`. */
export interface NativeMemoryUse {
  readonly trainedTokens: number;
  readonly sampledSequences: number;
  readonly sampledTokens: number;
  readonly cacheBytes: number;
  readonly keepsReference: boolean;
}

/** Where one tensor lies in the flat arrays. */
export interface TensorPlace {
  readonly name: string;
  readonly offset: number;
  readonly shape: readonly number[];
}

/** Numbers in `TrElement`, by what a file's header calls them. */
export const ELEMENT = { F32: 0, BF16: 1, F16: 2 } as const;

/** `TrFileTensor`: numbers of a tensor in an open file, from byte `position` on, and in a flat array, from `offset` on. */
export interface FileTensor {
  /** Descriptor. */
  readonly file: number;
  readonly element: number;
  readonly position: number;
  readonly offset: number;
  readonly length: number;
}

/** Numbers in `TrFileProblem`. */
export const FILE_PROBLEM = { notFinite: 1, ends: 2, fails: 3 } as const;

/** `TrFileFault`: the first number that could not be used, by its tensor's place in the list. */
export interface FileFault {
  readonly problem: number;
  /** What the system said, in `fails`. */
  readonly error: number;
  readonly tensor: number;
  readonly index: number;
  readonly value: number;
}

/** Requests of one call as flat lists; `…Offsets` have one entry more than there are requests. */
export interface FlatRequests {
  readonly promptTokens: Int32Array;
  readonly promptOffsets: Int32Array;
  readonly forcedTokens: Int32Array;
  readonly forcedOffsets: Int32Array;
  readonly stopTokens: Int32Array;
  readonly stopOffsets: Int32Array;
  readonly biasTokens: Int32Array;
  readonly biasOffsets: Int32Array;
  readonly biasValues: Float32Array;
  readonly maxTokens: Int32Array;
  readonly topK: Int32Array;
  readonly temperature: Float32Array;
  readonly topP: Float32Array;
  readonly minP: Float32Array;
  readonly seeds: Uint32Array;
  readonly stopBytes: Uint8Array;
  readonly stopByteOffsets: Int32Array;
  readonly stopStringOffsets: Int32Array;
  readonly ruleLimits: Int32Array;
  readonly ruleOffsets: Int32Array;
  readonly fromTokens: Int32Array;
  readonly fromOffsets: Int32Array;
  readonly untilTokens: Int32Array;
  readonly untilOffsets: Int32Array;
  readonly injectTokens: Int32Array;
  readonly injectOffsets: Int32Array;
}

/** Completions as flat lists. */
export interface FlatCompletions {
  readonly tokens: Int32Array;
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
  readonly origins: Uint8Array;
  readonly offsets: Int32Array;
  readonly stopReasons: Uint8Array;
  readonly version: number;
}

/** The key/value cache of a store: blocks of keys and values of consecutive tokens. */
export interface CacheReport {
  /** Blocks that may be in use at once. */
  readonly blocks: number;
  readonly blockBytes: number;
  readonly blockTokens: number;
  /** Blocks in use now, and the most that ever were. */
  readonly lent: number;
  readonly mostLent: number;
  /** Sequences that gave up their blocks to others and were computed again. */
  readonly preemptions: number;
  /** Prompt tokens taken over from another sequence of the same prompt. */
  readonly sharedTokens: number;
}

/** Limits of this machine, measured: FLOP/s of multiply-adds in fp32 and in bf16, bytes/s read from memory. */
export interface Peaks {
  readonly fmaOneThread: number;
  readonly fmaAllThreads: number;
  readonly bf16OneThread: number;
  readonly bf16AllThreads: number;
  readonly readOneThread: number;
  readonly readAllThreads: number;
  readonly threads: number;
}

/** What `native/binding.cc` exports. Promises reject, and functions throw, with an Error that has a `status`. */
export interface NativeAddon {
  kernelSets(format: number): string;
  kernelSet(format: number): string;
  threads(): number;
  philox(key: Uint32Array, counter: Uint32Array): Uint32Array;
  measurePeaks(): Promise<Peaks>;
  memory(
    shape: ModelShape,
    options: LearnerOptions,
    use: NativeMemoryUse,
  ): readonly { readonly name: string; readonly kind: number; readonly bytes: number }[];
  createLearner(shape: ModelShape, seed: Uint32Array, options: LearnerOptions): Promise<LearnerHandle>;
  releaseLearner(learner: LearnerHandle): void;
  tensors(learner: LearnerHandle): readonly TensorPlace[];
  trainable(learner: LearnerHandle): readonly TensorPlace[];
  /** `rank`: the GPU that computes it. Calls of several ranks may overlap. */
  learnerForward(
    learner: LearnerHandle,
    rank: number,
    tokens_N: Int32Array,
    offsets_S1: Int32Array,
    temperature: number,
  ): Promise<Scores>;
  learnerBackward(
    learner: LearnerHandle,
    rank: number,
    dLogprobs_N: Float32Array,
    dEntropies_N: Float32Array,
  ): Promise<void>;
  learnerStep(learner: LearnerHandle, step: OptimizerStep): Promise<number>;
  resetOptimizer(learner: LearnerHandle): void;
  stepCount(learner: LearnerHandle): number;
  setStepCount(learner: LearnerHandle, count: number): void;
  readArray(learner: LearnerHandle, array: number, offset: number, length: number): Promise<Float32Array>;
  /** Looks for numbers that are not finite. */
  checkFiles(tensors: readonly FileTensor[], threads: number): Promise<FileFault | undefined>;
  /** Fills places of a flat array; with a fault part of them has changed. */
  loadFiles(
    learner: LearnerHandle,
    array: number,
    tensors: readonly FileTensor[],
    threads: number,
  ): Promise<FileFault | undefined>;
  saveFiles(
    learner: LearnerHandle,
    array: number,
    tensors: readonly FileTensor[],
    threads: number,
  ): Promise<FileFault | undefined>;
  /** Weights that were loaded take effect. */
  packWeights(learner: LearnerHandle): Promise<void>;
  publish(learner: LearnerHandle, version: number): number;
  keepReference(learner: LearnerHandle): void;
  scoreReference(
    learner: LearnerHandle,
    tokens_N: Int32Array,
    offsets_S1: Int32Array,
    temperature: number,
  ): Promise<Scores>;
  storeId(learner: LearnerHandle): number;
  openStore(id: number): StoreHandle;
  attachStore(handle: string): StoreHandle;
  storeHandle(store: StoreHandle): string;
  heldVersions(store: StoreHandle): number;
  releaseStore(store: StoreHandle): void;
  storeVersion(store: StoreHandle): number;
  createAbort(): AbortHandle;
  setAbort(abort: AbortHandle): void;
  storeScore(
    store: StoreHandle,
    tokens_N: Int32Array,
    offsets_S1: Int32Array,
    temperature: number,
    topK: number,
  ): Promise<Scores>;
  storeGenerate(
    store: StoreHandle,
    requests: FlatRequests,
    maxInFlight: number,
    abort: AbortHandle,
    onTokens: ((requests: Int32Array, tokens: Int32Array) => void) | undefined,
    /** -1: the live one. */
    version: number,
  ): Promise<FlatCompletions>;
  setVocabulary(store: StoreHandle, bytes: Uint8Array, offsets_V1: Int32Array): void;
  limitCache(store: StoreHandle, bytes: number): void;
  cache(store: StoreHandle): CacheReport;
}

const loaded = new Map<Device, NativeAddon>();

/**
 * The native addon of a device, loaded on first use. The variable TROUPE_CUDA_ADDON names another file for "cuda".
 *
 * @throws NATIVE_ADDON_MISSING, NATIVE_ADDON_UNUSABLE, CUDA_NOT_BUILT
 */
export function nativeAddon(device: Device = "cpu"): NativeAddon {
  const known = loaded.get(device);
  if (known) return known;
  const require = createRequire(import.meta.url);
  // By the package's own name, for this file runs from src in tests and from dist elsewhere.
  const folder = join(dirname(require.resolve("@troupe/gpu/package.json")), "build", "Release");
  const path =
    device === "cpu"
      ? join(folder, "troupe.node")
      : (process.env["TROUPE_CUDA_ADDON"] ?? join(folder, "troupe-cuda.node"));
  if (!existsSync(path)) throw device === "cpu" ? errors.nativeAddonMissing({ path }) : errors.cudaNotBuilt({ path });
  try {
    // binding.cc, which both addons contain, and the interface above list the same functions.
    const addon = require(path) as NativeAddon;
    loaded.set(device, addon);
    return addon;
  } catch (cause) {
    throw errors.nativeAddonUnusable({ path, problem: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}

/** In the order of `TrStatus`, from 1. */
const BY_STATUS = [
  errors.shapeNotValid,
  errors.inputNotValid,
  errors.valueNotFinite,
  errors.memoryExhausted,
  errors.kernelsNotAvailable,
  errors.engineGone,
  errors.forwardMissing,
  errors.nativeFault,
  errors.deviceMissing,
  errors.deviceLost,
] as const;

/**
 * Runs one native call; its status becomes an error of the catalogue that says what was being done.
 *
 * @param action completes "Cannot …"
 */
export async function callNative<T>(action: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw asError(action, cause);
  }
}

/** As `callNative`, for a call that answers at once. */
export function callNativeSync<T>(action: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw asError(action, cause);
  }
}

function asError(action: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !("status" in cause)) return cause;
  const make = BY_STATUS[Number(cause.status) - 1] ?? errors.nativeFault;
  return make({ action, problem: cause.message }, cause);
}
