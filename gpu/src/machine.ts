import { callNative, callNativeSync, nativeAddon, type Peaks } from "./addon.js";

/** Name of the kernel set in use: the best of this CPU, or the one that TROUPE_KERNELS names. */
export function kernelSet(): string {
  return callNativeSync("choose a kernel set", () => nativeAddon().kernelSet());
}

/** Names of all kernel sets that this CPU can run, best first. */
export function kernelSets(): readonly string[] {
  return nativeAddon().kernelSets().split(" ");
}

/** What this machine can do at most, measured now; takes about half a second. */
export function measurePeaks(): Promise<Peaks> {
  return callNative("measure the machine", () => nativeAddon().measurePeaks());
}
