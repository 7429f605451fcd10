import { elementsOf } from "@troupe/core/sdk";
import type { LearnerHandle, NativeAddon, TensorPlace } from "./addon.js";

/** Copies of the tensors of one flat array, by name. */
export async function readByName(
  addon: NativeAddon,
  learner: LearnerHandle,
  array: number,
  places: readonly TensorPlace[],
): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const { name, offset, shape } of places)
    found.set(name, await addon.readArray(learner, array, offset, elementsOf(shape)));
  return found;
}

/** Parameters of tensors, in millions. */
export function millions(places: readonly TensorPlace[]): string {
  return (places.reduce((sum, { shape }) => sum + elementsOf(shape), 0) / 1e6).toFixed(2);
}
