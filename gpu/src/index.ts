export { createEngine } from "./create-engine.js";
export { NativeEngine } from "./native-engine.js";
export { attachSampler, type NativeHandle } from "./native-handle.js";
export { NativeSampler } from "./native-sampler.js";
export { kernelSet, kernelSets, measurePeaks } from "./machine.js";
export { memoryReport } from "./memory-report.js";
export type { CacheReport, Peaks } from "./addon.js";
