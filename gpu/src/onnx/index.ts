export { exportOnnx } from "./export-onnx.js";
export { attachSampler, createEngine, OnnxEngine, type OnnxHandle } from "./onnx-engine.js";
export { OnnxSampler } from "./onnx-sampler.js";
export { openRewardModel } from "./reward-model.js";
