import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** Folder of random checkpoints with results of a float64 PyTorch forward and backward; beside the repository. */
export const REFERENCE_STATES = fileURLToPath(new URL("../../../../shared/data/models/refstates", import.meta.url));

/** The checkpoints: an untied head, stretched rotary frequencies, biases, and norms of q and k. */
export const REFERENCE_MODELS = ["tiny-llama", "tiny-llama3-rope", "tiny-qwen2", "tiny-qwen3"] as const;

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

/** Largest difference within 1e-6 of the largest value: the files hold float32. */
export function expectAgreement(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const size = Array.from(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const worst = Array.from(expected).reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
  expect(worst).toBeLessThan(1e-6 * size);
}
