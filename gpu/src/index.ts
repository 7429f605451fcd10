export { createEngine } from "./create-engine.js";
export { attachSampler, NativeEngine, type NativeHandle } from "./native-engine.js";
export { NativeSampler } from "./native-sampler.js";
export { kernelSet, kernelSets, measurePeaks } from "./machine.js";
export type { CacheReport, Peaks } from "./addon.js";
