import type { Batch, EngineOptions } from "@troupe/core/sdk";
import { MEMORY_KINDS, nativeAddon, type CacheReport } from "./addon.js";
import { errors } from "./errors.js";
import { learnerOptions } from "./learner-options.js";

/** Activations and their gradients that one micro-batch may take, bytes. */
const ACTIVATION_BYTES = 128 * 2 ** 20;

/** Fewer tokens would pay for each pass over the weights too seldom. */
const LEAST_TOKENS = 1024;

/** Its products get no faster beyond, and several sequences are to be computed at a time. */
const MOST_TOKENS_OF_GPU = 16_384;

/**
 * What activations may take on each GPU beside weights, gradients and moments: a quarter of what it has left, as the cache
 * is bounded at half of that, and versions and scratch need some too.
 */
export function activationBytes({ blocks, blockBytes }: CacheReport, gpus: number): number {
  return (blocks * blockBytes) / 2 / gpus;
}

/**
 * Tokens of one micro-batch where the settings do not say. On the CPU it depends on the shape alone, so every machine cuts
 * alike; on a GPU on its memory too, in powers of two, so that a little more or less makes no other cut.
 *
 * @param gpuBytes what activations may take on a GPU; absent on the CPU
 */
export function microBatchTokens(
  { shape, dtype = "fp32" }: Pick<EngineOptions, "shape" | "dtype">,
  gpuBytes?: number,
): number {
  // Rotary tables grow with positions; activations do not.
  const [small, large] = [1, 2].map((share) =>
    nativeAddon("cpu")
      .memory({ ...shape, maxPositions: 1 }, learnerOptions({ shape, dtype, seed: 0, threads: 1 }), {
        trainedTokens: share * LEAST_TOKENS,
        sampledSequences: 0,
        sampledTokens: 0,
        cacheBytes: 0,
        keepsReference: false,
      })
      .reduce((sum, { kind, bytes }) => sum + (MEMORY_KINDS[kind] === "activations" ? bytes : 0), 0),
  );
  const perToken = ((large ?? 0) - (small ?? 0)) / LEAST_TOKENS;
  if (gpuBytes === undefined) return Math.max(LEAST_TOKENS, Math.floor(ACTIVATION_BYTES / perToken));
  // The table counts every activation in fp32, which is no less than a GPU keeps of it.
  const fitting = 2 ** Math.floor(Math.log2(Math.max(1, gpuBytes / perToken)));
  return Math.min(MOST_TOKENS_OF_GPU, Math.max(LEAST_TOKENS, fitting));
}

/**
 * Cuts a batch into micro-batches of whole sequences, in order, each of at most `budget` tokens, and of no more than an even
 * share for each of `ranks`; a longer sequence gets one of its own. The same batch is always cut the same way.
 *
 * @throws SHAPE_NOT_VALID when offsets and arrays do not fit together
 */
export function microBatches(batch: Batch, budget: number, ranks = 1): Batch[] {
  checkLengths(batch);
  const { offsets_S1 } = batch;
  const most = Math.min(budget, Math.ceil(batch.tokens_N.length / ranks));
  const parts: Batch[] = [];
  for (let first = 0; first + 1 < offsets_S1.length;) {
    let last = first + 1;
    while (last + 1 < offsets_S1.length && at(offsets_S1, last + 1) - at(offsets_S1, first) <= most) last++;
    parts.push(cut(batch, first, last));
    first = last;
  }
  return parts;
}

/** Deals micro-batches out, in order: a run of them for each rank, of about equal tokens. Runs may be empty. */
export function dealMicroBatches(parts: readonly Batch[], ranks: number): Batch[][] {
  const runs = Array.from({ length: ranks }, (): Batch[] => []);
  const all = parts.reduce((sum, part) => sum + part.tokens_N.length, 0);
  let before = 0;
  for (const part of parts) {
    // Whose share of the tokens the part's middle lies in.
    const middle = before + part.tokens_N.length / 2;
    runs[Math.min(ranks - 1, Math.floor((ranks * middle) / Math.max(all, 1)))]?.push(part);
    before += part.tokens_N.length;
  }
  return runs;
}

/** Sequences [first, last) as a batch of their own. */
function cut(batch: Batch, first: number, last: number): Batch {
  const [start, end] = [at(batch.offsets_S1, first), at(batch.offsets_S1, last)];
  if (start === 0 && end === batch.tokens_N.length) return batch;
  const { oldLogprobs_N, referenceLogprobs_N, nextTokenWeights_N } = batch;
  return {
    tokens_N: batch.tokens_N.subarray(start, end),
    offsets_S1: batch.offsets_S1.subarray(first, last + 1).map((offset) => offset - start),
    weights_N: batch.weights_N.subarray(start, end),
    advantages_N: batch.advantages_N.subarray(start, end),
    behaviourLogprobs_N: batch.behaviourLogprobs_N.subarray(start, end),
    ...(oldLogprobs_N && { oldLogprobs_N: oldLogprobs_N.subarray(start, end) }),
    ...(referenceLogprobs_N && { referenceLogprobs_N: referenceLogprobs_N.subarray(start, end) }),
    ...(nextTokenWeights_N && { nextTokenWeights_N: nextTokenWeights_N.subarray(start, end) }),
  };
}

function checkLengths(batch: Batch): void {
  const fail = (problem: string) => errors.shapeNotValid({ action: "train on a batch", problem });
  const { tokens_N, offsets_S1 } = batch;
  if (offsets_S1[0] !== 0) throw fail("offsets must begin with 0");
  for (let s = 1; s < offsets_S1.length; s++) {
    if (at(offsets_S1, s) < at(offsets_S1, s - 1)) throw fail(`offsets decrease at sequence ${s - 1}`);
  }
  if (offsets_S1.at(-1) !== tokens_N.length) {
    throw fail(`offsets end with ${offsets_S1.at(-1)}, there are ${tokens_N.length} tokens`);
  }
  for (const [name, array] of Object.entries(batch)) {
    if (name !== "offsets_S1" && array !== undefined && array.length !== tokens_N.length) {
      throw fail(`${name} has ${array.length} entries, there are ${tokens_N.length} tokens`);
    }
  }
}

/** An entry that the caller knows to be there. */
function at(array: Int32Array, index: number): number {
  return array[index] ?? 0;
}
