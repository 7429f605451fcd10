import { defineErrors } from "@troupe/core/sdk";

/** Every error of gpu: permanent code, message, hint. */
export const errors = defineErrors({
  nativeAddonMissing: {
    message: (d: { path: string }) => `Cannot load the native engine: "${d.path}" is not built`,
    hint: "Run npm run build; it needs a C++17 compiler",
    exitCode: 4,
  },
  nativeAddonUnusable: {
    message: (d: { path: string; problem: string }) => `Cannot load the native engine "${d.path}": ${d.problem}`,
    hint: "Remove gpu/build and run npm run build on this machine",
    exitCode: 4,
  },
  cudaNotBuilt: {
    message: (d: { path: string }) => `Cannot use device "cuda": "${d.path}" is not built`,
    hint: 'Install the CUDA toolkit, 12 or newer, so that nvcc is found, and run node gpu/build-cuda.mjs; or give device "cpu"',
    exitCode: 4,
  },
  deviceMissing: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action} on device "cuda": ${d.problem}`,
    hint: 'Run on a machine whose nvidia-smi lists a GPU of compute capability 8.0 or higher, or give device "cpu"',
    exitCode: 4,
  },
  deviceLost: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "The engine computes no more: resume the run from its last checkpoint, with fewer GPUs where one is broken",
    exitCode: 5,
  },
  kernelsNotAvailable: {
    message: (d: { problem: string }) => `Cannot choose a kernel set: ${d.problem}`,
    hint: "Set TROUPE_KERNELS to a set that this CPU has, or unset it",
    exitCode: 4,
  },
  shapeNotValid: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action} as the shapes do not fit: ${d.problem}`,
    hint: "Compare the array lengths, offsets and the model's shape with the engine's contract",
    exitCode: 2,
  },
  inputNotValid: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "Tokens lie in the vocabulary, sequences fit into maxPositions, and settings lie in their ranges",
    exitCode: 2,
  },
  valueNotFinite: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "Lower the learning rate, or resume from an earlier checkpoint",
    exitCode: 5,
  },
  memoryExhausted: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "Use shorter sequences, fewer requests at once, or a smaller model",
  },
  engineGone: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "Keep the engine until its samplers are done, and make it with share: true for samplers in other processes",
  },
  forwardMissing: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "Every backward pass follows the forward pass of the same batch",
  },
  nativeFault: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ${d.problem}`,
    hint: "This is a bug in the native engine; report it with the steps that led here",
  },
  handleNotValid: {
    message: (d: { found: string }) => `Cannot attach a sampler: ${d.found} is not the handle of a native engine`,
    hint: "Pass on what the engine's handle() gave, unchanged",
  },
  onnxRuntimeMissing: {
    message: () => "Cannot run an ONNX model: the package onnxruntime-node is not installed",
    hint: `Run npm install --no-save --ignore-scripts onnxruntime-node@1.30.0 (about 290 MB; its install script would fetch CUDA files)`,
    exitCode: 4,
  },
  onnxModelNotValid: {
    message: (d: { path: string; problem: string }) => `Cannot use the ONNX model "${d.path}": ${d.problem}`,
    hint: "Export the policy again, and keep model.onnx beside the safetensors files that it names",
    exitCode: 4,
  },
  onnxOrderFailed: {
    message: (d: { action: string; problem: string }) => `Cannot ${d.action}: ONNX Runtime says "${d.problem}"`,
    hint: "Export the policy again; if it stays, report it with the steps that led here",
  },
  onnxProcessEnded: {
    message: (d: { action: string; how: string }) =>
      `Cannot ${d.action}: the process of ONNX Runtime ended with ${d.how}`,
    hint: "Look at its last words above; it may have run out of memory",
  },
  trainingNotSupported: {
    message: (d: { action: string }) => `Cannot ${d.action} with the onnx engine: it samples and scores, and no more`,
    hint: "Set train.steps=0 to evaluate only, or policy.engine=@troupe/gpu to train",
    exitCode: 2,
  },
  weightsNotValid: {
    message: (d: { path: string; problem: string }) => `Cannot load weights from "${d.path}": ${d.problem}`,
    hint: "The folder must hold a model of the same shape as the engine's",
    exitCode: 4,
  },
});
