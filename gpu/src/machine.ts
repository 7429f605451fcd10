import { totalmem } from "node:os";
import type { ComputeType, Device } from "@troupe/core/sdk";
import { callNative, callNativeSync, FORMAT, nativeAddon, type Peaks } from "./addon.js";

/** Name of the kernel set in use: the best of this CPU, or the one that TROUPE_KERNELS names; in bf16 it ends in "/bf16". */
export function kernelSet(dtype: ComputeType = "fp32"): string {
  return callNativeSync("choose a kernel set", () => nativeAddon().kernelSet(FORMAT[dtype]));
}

/** Names of all kernel sets that this CPU can run, best first. */
export function kernelSets(dtype: ComputeType = "fp32"): readonly string[] {
  return nativeAddon().kernelSets(FORMAT[dtype]).split(" ");
}

/** What this machine, or its GPU, can do at most, measured now; takes about half a second. */
export function measurePeaks(device: Device = "cpu"): Promise<Peaks> {
  return callNative("measure the machine", () => nativeAddon(device).measurePeaks());
}

/** Bytes of memory that this process may use: the machine's, or what its control group grants. */
export function memoryOfProcess(): number {
  // Without a limit the constraint is 0, or larger than any machine.
  const granted = process.constrainedMemory() || Infinity;
  return Math.min(totalmem(), granted);
}
