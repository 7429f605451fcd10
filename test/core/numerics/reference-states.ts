import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { ModelShape } from "../../../core/src/engines/policy-engine.js";

/** Folder of random checkpoints with results of a float64 PyTorch forward and backward; beside the repository. */
export const REFERENCE_STATES = fileURLToPath(new URL("../../../../shared/data/models/refstates", import.meta.url));

/** Every tensor of a safetensors file as float64; F32 and I32 only. */
export function readTensors(path: string): Map<string, Float64Array> {
  const bytes = readFileSync(path);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
  // The files are our own; a wrong header shows as a missing tensor.
  const header = JSON.parse(bytes.toString("utf8", 8, headerEnd)) as Record<
    string,
    { dtype: "F32" | "I32"; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Float64Array>();
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [start, end] = data_offsets;
    const at = (i: number) => headerEnd + start + 4 * i;
    const read = (i: number) => (dtype === "F32" ? bytes.readFloatLE(at(i)) : bytes.readInt32LE(at(i)));
    tensors.set(
      name,
      Float64Array.from({ length: (end - start) / 4 }, (_, i) => read(i)),
    );
  }
  return tensors;
}

/** Shape from a Hugging Face `config.json`. */
export function readShape(path: string): ModelShape {
  const config = JSON.parse(readFileSync(path, "utf8"));
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads,
    headSize: config.head_dim,
    intermediateSize: config.intermediate_size,
    maxPositions: config.max_position_embeddings,
    ropeTheta: config.rope_theta,
    rmsNormEpsilon: config.rms_norm_eps,
    tieEmbeddings: config.tie_word_embeddings,
    qkNorm: config.model_type === "qwen3",
    qkvBias: config.model_type === "qwen2",
  };
}

/** Largest difference within 1e-6 of the largest value: the files hold float32. */
export function expectAgreement(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const size = Array.from(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const worst = Array.from(expected).reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
  expect(worst).toBeLessThan(1e-6 * size);
}
