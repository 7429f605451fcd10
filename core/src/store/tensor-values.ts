import type { StoredTensor } from "./safetensors.js";
import type { TensorType } from "./tensor-header.js";

/** A float32 array as a tensor; shares its memory. */
export function tensorOf(values: Float32Array, shape: readonly number[]): StoredTensor {
  return { type: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/**
 * Numbers as float32: a view of F32, a copy of BF16 and F16, which float32 holds exactly; undefined for other types.
 *
 * @param stored its bytes begin at a multiple of 4 in their buffer
 */
export function float32Of({ type, bytes }: { type: TensorType; bytes: Uint8Array }): Float32Array | undefined {
  if (type === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  if (type !== "BF16" && type !== "F16") return undefined;
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  if (type === "F16") return Float32Array.from(halves, halfToNumber);
  const wide = new Uint32Array(halves.length);
  // A bfloat16 is the upper half of a float32.
  for (let i = 0; i < halves.length; i++) wide[i] = (halves[i] ?? 0) << 16;
  return new Float32Array(wide.buffer);
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
