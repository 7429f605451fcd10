import type {
  Completion,
  Device,
  EngineCapabilities,
  GenerateOptions,
  GenerateRequest,
  Sampler,
  ScoreOptions,
  Scores,
  VocabularyBytes,
} from "@troupe/core/sdk";
import {
  callNative,
  callNativeSync,
  nativeAddon,
  STOP_REASONS,
  type CacheReport,
  type FlatCompletions,
  type NativeAddon,
  type StoreHandle,
} from "./addon.js";
import { errors } from "./errors.js";
import { flattenRequests } from "./flatten-requests.js";

/** Sequences decoded at once; more wait their turn inside the call. */
const MAX_IN_FLIGHT = 256;

/**
 * Samples from the published weights of a native engine, on any thread of its process.
 *
 * A call uses the version that it names, or that is live when it begins, until it ends. Calls may overlap; each runs on threads of its
 * own. The logprobs it gives equal those of `forwardBackward` for the same weights, bit for bit.
 */
export class NativeSampler implements Sampler {
  readonly capabilities: EngineCapabilities = { generate: true, score: true, train: false, zeroMismatch: true };
  readonly kernelSet: string;
  readonly #addon: NativeAddon;
  readonly #store: StoreHandle;
  #isDisposed = false;

  /** @throws ENGINE_GONE when there is no such store any more, KERNELS_NOT_AVAILABLE when it is for other kernels */
  constructor(device: Device, kernelSet: string, open: () => StoreHandle) {
    this.kernelSet = kernelSet;
    this.#addon = nativeAddon(device);
    this.#store = callNativeSync("attach a sampler", open);
  }

  /** What a process needs to find the store; empty when the engine is not shared. */
  get sharedHandle(): string {
    const action = "share the weights";
    return callNativeSync(action, () => this.#addon.storeHandle(this.#live(action)));
  }

  /** Versions in shared memory: the live one, older ones that are kept, and those that calls of other processes were last seen to use. */
  heldVersions(): number {
    const action = "count versions";
    return callNativeSync(action, () => this.#addon.heldVersions(this.#live(action)));
  }

  version(): number {
    return callNativeSync("read the version", () => this.#addon.storeVersion(this.#live("read the version")));
  }

  /** @throws INPUT_NOT_VALID naming the request, or the version that is not kept, ENGINE_GONE */
  async generate(requests: readonly GenerateRequest[], options: GenerateOptions = {}): Promise<readonly Completion[]> {
    const action = "generate";
    const store = this.#live(action);
    const addon = this.#addon;
    const flat = flattenRequests(requests);
    const abort = addon.createAbort();
    const { signal, onTokens, version = -1 } = options;
    const onAbort = () => addon.setAbort(abort);
    const stream = onTokens && new TokenListener(onTokens, onAbort);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const completions = await callNative(action, () =>
        addon.storeGenerate(store, flat, MAX_IN_FLIGHT, abort, stream?.hear, version),
      );
      stream?.rethrow();
      return splitCompletions(completions);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** For all samplers of the same store; stop strings need it. @throws SHAPE_NOT_VALID, ENGINE_GONE */
  setVocabulary({ bytes, offsets_V1 }: VocabularyBytes): void {
    const action = "take the vocabulary";
    callNativeSync(action, () => this.#addon.setVocabulary(this.#live(action), bytes, offsets_V1));
  }

  /** Bounds the memory that keys and values may take in this process, in bytes; calls wait or compute again when it is full. */
  limitCache(bytes: number): void {
    const action = "bound the cache";
    callNativeSync(action, () => this.#addon.limitCache(this.#live(action), bytes));
  }

  /** The key/value cache of the store in this process. */
  cache(): CacheReport {
    const action = "describe the cache";
    return callNativeSync(action, () => this.#addon.cache(this.#live(action)));
  }

  /** @throws INPUT_NOT_VALID, SHAPE_NOT_VALID, ENGINE_GONE */
  async score(
    tokens_N: Int32Array,
    offsets_S1: Int32Array,
    temperature: number,
    options: ScoreOptions = {},
  ): Promise<Scores> {
    const action = "score";
    const store = this.#live(action);
    const { topK = 0 } = options;
    if (!Number.isInteger(topK)) throw errors.inputNotValid({ action, problem: `topK is ${topK}, which is not whole` });
    return await callNative(action, () => this.#addon.storeScore(store, tokens_N, offsets_S1, temperature, topK));
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#addon.releaseStore(this.#store);
  }

  #live(action: string): StoreHandle {
    if (this.#isDisposed) throw errors.engineGone({ action, problem: "the sampler was disposed" });
    return this.#store;
  }
}

/** Hands a call's tokens to a listener, request by request; ends the call when the listener throws. */
class TokenListener {
  readonly #onTokens: (index: number, tokens: Int32Array) => void;
  readonly #abort: () => void;
  #failure: { readonly cause: unknown } | undefined;

  constructor(onTokens: (index: number, tokens: Int32Array) => void, abort: () => void) {
    this.#onTokens = onTokens;
    this.#abort = abort;
  }

  /** `tokens[i]` belongs to request `requests[i]`. */
  readonly hear = (requests: Int32Array, tokens: Int32Array): void => {
    const byRequest = new Map<number, number[]>();
    requests.forEach((request, i) => {
      const list = byRequest.get(request) ?? [];
      list.push(tokens[i] ?? 0);
      byRequest.set(request, list);
    });
    try {
      for (const [request, list] of this.#failure ? [] : byRequest) this.#onTokens(request, Int32Array.from(list));
    } catch (cause) {
      this.#failure = { cause };
      this.#abort();
    }
  };

  rethrow(): void {
    if (this.#failure) throw this.#failure.cause;
  }
}

function splitCompletions(flat: FlatCompletions): Completion[] {
  return Array.from(flat.stopReasons, (reason, i) => {
    const [start, end] = [flat.offsets[i], flat.offsets[i + 1]];
    return {
      tokens: flat.tokens.slice(start, end),
      origins: flat.origins.slice(start, end),
      logprobs: flat.logprobs.slice(start, end),
      entropies: flat.entropies.slice(start, end),
      stopReason: STOP_REASONS[reason] ?? "aborted",
      version: flat.version,
    };
  });
}
