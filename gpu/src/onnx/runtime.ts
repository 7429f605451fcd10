import { createRequire } from "node:module";
import { errors } from "../errors.js";

/** What is used of a value of onnxruntime-node. */
export interface OnnxTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** What is used of an inference session of onnxruntime-node. */
export interface OnnxSession {
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
}

/** What is used of the package onnxruntime-node. */
export interface OnnxRuntime {
  readonly Tensor: new (
    type: "float32" | "int64",
    data: Float32Array | BigInt64Array,
    dims: readonly number[],
  ) => OnnxTensor;
  readonly InferenceSession: {
    create(
      path: string,
      options: { executionProviders: readonly string[]; intraOpNumThreads: number },
    ): Promise<OnnxSession>;
  };
}

const require = createRequire(import.meta.url);

/**
 * Path of onnxruntime-node, which is optional: installed beside this package, or in a folder that NODE_PATH names.
 *
 * @throws ONNX_RUNTIME_MISSING with the command that installs it
 */
export function onnxRuntimePath(): string {
  try {
    return require.resolve("onnxruntime-node");
  } catch (cause) {
    throw errors.onnxRuntimeMissing({}, cause);
  }
}

/**
 * Execution providers in the order in which they are tried: those that TROUPE_ONNX_PROVIDERS names, as "cuda,cpu" where
 * the runtime was installed with CUDA; the CPU unless given.
 */
export function onnxProviders(): readonly string[] {
  return (process.env["TROUPE_ONNX_PROVIDERS"] ?? "cpu").split(",").map((name) => name.trim());
}

/** Loads onnxruntime-node from its path. */
export function loadOnnxRuntime(path: string): OnnxRuntime {
  // The interface lists what version 1.25 and later have.
  return require(path) as OnnxRuntime;
}
