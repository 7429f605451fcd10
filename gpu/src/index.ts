export { createEngine } from "./create-engine.js";
export { attachSampler, NativeEngine, type NativeHandle } from "./native-engine.js";
export { NativeSampler } from "./native-sampler.js";
export { kernelSet, kernelSets, measurePeaks } from "./machine.js";
export type { Peaks } from "./addon.js";
