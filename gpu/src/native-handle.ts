import type { Device } from "@troupe/core/sdk";
import { errors } from "./errors.js";
import { NativeSampler } from "./native-sampler.js";

/** What `handle()` gives: plain data that names a store of this process. */
export interface NativeHandle {
  readonly engine: "troupe-native";
  readonly process: number;
  readonly store: number;
  readonly device: Device;
}

/**
 * A sampler over the store that a handle names, on any thread of the engine's process.
 *
 * @throws HANDLE_NOT_VALID, ENGINE_GONE
 */
export function attachSampler(handle: unknown): NativeSampler {
  if (!isHandle(handle)) throw errors.handleNotValid({ found: JSON.stringify(handle) ?? String(handle) });
  if (handle.process !== process.pid) {
    throw errors.engineGone({ action: "attach a sampler", problem: `the engine lives in process ${handle.process}` });
  }
  return new NativeSampler(handle.store, handle.device);
}

function isHandle(value: unknown): value is NativeHandle {
  return (
    typeof value === "object" &&
    value !== null &&
    "engine" in value &&
    value.engine === "troupe-native" &&
    "process" in value &&
    typeof value.process === "number" &&
    "store" in value &&
    typeof value.store === "number" &&
    "device" in value &&
    (value.device === "cpu" || value.device === "cuda")
  );
}
