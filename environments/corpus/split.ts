import { deriveKey, type Split } from "@troupe/core/sdk";

/** The split of a document by its key: the same for every seed, so nothing held out is ever trained on. */
export function splitOf(key: string, heldOut: number): Split {
  return deriveKey(0, "corpus/split", key)[0] / 2 ** 32 < heldOut ? "eval" : "train";
}
