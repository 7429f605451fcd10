import fc from "fast-check";
import type { Batch } from "../../../core/src/records/batch.js";
import type { LossSpec } from "../../../core/src/records/loss-spec.js";

/** The clipped surrogate alone. */
export const PPO: LossSpec = {
  temperature: 1,
  ratio: "token",
  clipLow: 0.2,
  clipHigh: 0.2,
  dualClip: Infinity,
  aggregation: "token-mean",
  normConstant: 1,
  klCoefficient: 0,
  klEstimator: "k3",
  entropyCoefficient: 0,
  importance: null,
  maskTruncated: false,
  nextTokenCoefficient: 0,
};

/** With DAPO's bounds. */
export const DAPO: LossSpec = { ...PPO, clipHigh: 0.28 };

/** One sequence per array of tokens; what is not given is 0. */
export function batchOf(lengths: readonly number[], arrays: Partial<Record<keyof Batch, readonly number[]>>): Batch {
  const offsets = lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
  const N = offsets.at(-1)!;
  const array = (name: keyof Batch) => Float32Array.from(arrays[name] ?? new Array<number>(N).fill(0));
  return {
    tokens_N: new Int32Array(N),
    offsets_S1: Int32Array.from(offsets),
    weights_N: array("weights_N"),
    advantages_N: array("advantages_N"),
    behaviourLogprobs_N: array("behaviourLogprobs_N"),
    ...(arrays.oldLogprobs_N && { oldLogprobs_N: array("oldLogprobs_N") }),
    ...(arrays.referenceLogprobs_N && { referenceLogprobs_N: array("referenceLogprobs_N") }),
    ...(arrays.nextTokenWeights_N && { nextTokenWeights_N: array("nextTokenWeights_N") }),
  };
}

/** Any spec; every term may be on. */
export const anySpec: fc.Arbitrary<LossSpec> = fc.record({
  temperature: fc.constant(1),
  ratio: fc.constantFrom("token", "sequence"),
  clipLow: fc.constantFrom(0.0003, 0.2),
  clipHigh: fc.constantFrom(0.0004, 0.28),
  dualClip: fc.constantFrom(1.5, 3, Infinity),
  aggregation: fc.constant("token-mean" as const),
  normConstant: fc.constant(1),
  klCoefficient: fc.constantFrom(0, 0.1),
  klEstimator: fc.constantFrom("k1", "k2", "k3"),
  entropyCoefficient: fc.constantFrom(0, 0.05),
  importance: fc.option(
    fc.record({
      level: fc.constantFrom("token", "sequence", "geometric"),
      outside: fc.constantFrom("truncate", "mask"),
      low: fc.constantFrom(0.5, 0.999),
      high: fc.constantFrom(1.001, 2),
    }),
  ),
  maskTruncated: fc.constant(false),
  nextTokenCoefficient: fc.constantFrom(0, 0.3),
});

/** A batch with logprobs and entropies under the current policy. Weights and advantages are even within a sequence. */
export const anyCase = fc
  .array(fc.nat(6), { minLength: 1, maxLength: 4 })
  .chain((lengths) => {
    const N = lengths.reduce((sum, length) => sum + length, 0);
    const perToken = (low: number, high: number) =>
      fc.array(fc.double({ min: low, max: high, noNaN: true }), { minLength: N, maxLength: N });
    const perSequence = (low: number, high: number) =>
      fc
        .array(fc.double({ min: low, max: high, noNaN: true }), {
          minLength: lengths.length,
          maxLength: lengths.length,
        })
        .map((values) => lengths.flatMap((length, s) => new Array<number>(length).fill(values[s]!)));
    return fc.record({
      lengths: fc.constant(lengths),
      mask_N: fc.array(fc.boolean(), { minLength: N, maxLength: N }),
      weights_N: perSequence(0.05, 1),
      advantages_N: perSequence(-2, 2),
      logprobs_N: perToken(-4, -0.01),
      entropies_N: perToken(0, 3),
      behaviourGap_N: perToken(-1, 1),
      oldGap_N: fc.option(perToken(-0.6, 0.6)),
      referenceGap_N: perToken(-1, 1),
      nextTokenWeights_N: perToken(0, 1),
    });
  })
  .map((c) => {
    const plus = (gap: readonly number[]) => c.logprobs_N.map((logprob, t) => logprob + gap[t]!);
    return {
      batch: batchOf(c.lengths, {
        weights_N: c.weights_N.map((weight, t) => (c.mask_N[t] ? weight : 0)),
        advantages_N: c.advantages_N,
        behaviourLogprobs_N: plus(c.behaviourGap_N),
        ...(c.oldGap_N && { oldLogprobs_N: plus(c.oldGap_N) }),
        referenceLogprobs_N: plus(c.referenceGap_N),
        nextTokenWeights_N: c.nextTokenWeights_N,
      }),
      logprobs_N: Float32Array.from(c.logprobs_N),
      entropies_N: Float32Array.from(c.entropies_N),
    };
  });
