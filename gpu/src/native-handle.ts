import type { Device } from "@troupe/core/sdk";
import { nativeAddon } from "./addon.js";
import { errors } from "./errors.js";
import { memoryOfProcess } from "./machine.js";
import { NativeSampler } from "./native-sampler.js";

/** What `handle()` gives: plain data that names a store of this process. */
export interface NativeHandle {
  readonly engine: "troupe-native";
  readonly process: number;
  readonly store: number;
  readonly device: Device;
  readonly kernelSet: string;
  /** Where other processes find the weights; empty when the engine was not made with `share`. */
  readonly shared: string;
}

/**
 * A sampler over the store that a handle names, on any thread of the engine's process, or in another process of the
 * machine when the engine was made with `share`: there it reads the weights in place. It outlives the engine's process
 * with the version that it used last.
 *
 * @throws HANDLE_NOT_VALID, ENGINE_GONE, KERNELS_NOT_AVAILABLE when this process has other kernels than the engine's
 */
export function attachSampler(handle: unknown): NativeSampler {
  if (!isHandle(handle)) throw errors.handleNotValid({ found: JSON.stringify(handle) ?? String(handle) });
  const { shared, store, device, kernelSet } = handle;
  if (handle.process === process.pid) {
    return new NativeSampler(device, kernelSet, () => nativeAddon(device).openStore(store));
  }
  if (shared === "") {
    const problem = `the engine lives in process ${handle.process} and does not share its weights`;
    throw errors.engineGone({ action: "attach a sampler", problem });
  }
  const sampler = new NativeSampler(device, kernelSet, () => nativeAddon(device).attachStore(shared));
  sampler.limitCache(memoryOfProcess() / 4);
  return sampler;
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
    (value.device === "cpu" || value.device === "cuda") &&
    "kernelSet" in value &&
    typeof value.kernelSet === "string" &&
    "shared" in value &&
    typeof value.shared === "string"
  );
}
