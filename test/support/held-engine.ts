// By its package's name, as this file runs from dist.
import * as native from "@troupe/gpu";
import type { Completion, GenerateRequest, Sampler } from "../../core/src/engines/policy-engine.js";

/** Tokens that are sampled before a held response waits for the next version. */
export const HELD_AT = 12;

/** A step's responses are held when it has so many tokens more than its number. */
export const HELD_TOKENS = 40;

/** The native engine, and nothing else, for the one that trains. */
export const { createEngine } = native;

/**
 * A sampler that is slow at a place of its own choosing. A response of more than `HELD_TOKENS` stands still at `HELD_AT`
 * until the call is aborted, as one does whose version was replaced in its middle, where another version is sure to come
 * before its step does: that it crosses one does not depend on how long anything takes. What has begun before goes on
 * without a stop.
 */
export function attachSampler(handle: unknown): Sampler {
  const sampler = native.attachSampler(handle);
  const generate: Sampler["generate"] = async (requests, options = {}) => {
    const isHeld = requests.every(
      (request) => isNew(request) && sampler.version() < request.maxTokens - HELD_TOKENS - 1,
    );
    if (!isHeld) return sampler.generate(requests, options);
    // Without the signal: a version that is quicker than these tokens would end them before that place.
    const begun = await sampler.generate(requests.map((request) => ({ ...request, maxTokens: HELD_AT })));
    if (begun.some(isCut)) await aborted(options.signal);
    return begun.map((completion) => (isCut(completion) ? { ...completion, stopReason: "aborted" } : completion));
  };
  return new Proxy(sampler, {
    get(target, key) {
      if (key === "generate") return generate;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function isNew({ forcedTokens }: GenerateRequest): boolean {
  return (forcedTokens?.length ?? 0) < HELD_AT;
}

function isCut({ stopReason }: Completion): boolean {
  return stopReason === "length";
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (!signal || signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
