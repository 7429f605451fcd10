import type { Completion, EngineCapabilities, GenerateRequest, Sampler, Scores } from "@troupe/core/sdk";
import {
  callNative,
  callNativeSync,
  nativeAddon,
  STOP_REASONS,
  type FlatCompletions,
  type StoreHandle,
} from "./addon.js";
import { errors } from "./errors.js";
import { flattenRequests } from "./flatten-requests.js";

/** Sequences decoded at once; more wait their turn inside the call. */
const MAX_IN_FLIGHT = 256;

/**
 * Samples from the published weights of a native engine, on any thread of its process.
 *
 * A call uses the version that is live when it begins, until it ends. Calls may overlap; each runs on threads of its
 * own. The logprobs it gives equal those of `forwardBackward` for the same weights, bit for bit.
 */
export class NativeSampler implements Sampler {
  readonly capabilities: EngineCapabilities = { generate: true, score: true, train: false, zeroMismatch: true };
  readonly #store: StoreHandle;
  #isDisposed = false;

  /** @throws ENGINE_GONE when no live engine has this id */
  constructor(storeId: number) {
    this.#store = callNativeSync("attach a sampler", () => nativeAddon().openStore(storeId));
  }

  version(): number {
    return callNativeSync("read the version", () => nativeAddon().storeVersion(this.#live("read the version")));
  }

  /** @throws INPUT_NOT_VALID naming the request, ENGINE_GONE */
  async generate(
    requests: readonly GenerateRequest[],
    options: { signal?: AbortSignal } = {},
  ): Promise<readonly Completion[]> {
    const action = "generate";
    const store = this.#live(action);
    const addon = nativeAddon();
    const flat = flattenRequests(requests);
    const abort = addon.createAbort();
    const onAbort = () => addon.setAbort(abort);
    if (options.signal?.aborted) onAbort();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return splitCompletions(await callNative(action, () => addon.storeGenerate(store, flat, MAX_IN_FLIGHT, abort)));
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  /** @throws INPUT_NOT_VALID, SHAPE_NOT_VALID, ENGINE_GONE */
  async score(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number): Promise<Scores> {
    const store = this.#live("score");
    return await callNative("score", () => nativeAddon().storeScore(store, tokens_N, offsets_S1, temperature));
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    nativeAddon().releaseStore(this.#store);
  }

  #live(action: string): StoreHandle {
    if (this.#isDisposed) throw errors.engineGone({ action, problem: "the sampler was disposed" });
    return this.#store;
  }
}

function splitCompletions(flat: FlatCompletions): Completion[] {
  return Array.from(flat.stopReasons, (reason, i) => {
    const [start, end] = [flat.offsets[i], flat.offsets[i + 1]];
    return {
      tokens: flat.tokens.slice(start, end),
      logprobs: flat.logprobs.slice(start, end),
      entropies: flat.entropies.slice(start, end),
      stopReason: STOP_REASONS[reason] ?? "aborted",
      version: flat.version,
    };
  });
}
