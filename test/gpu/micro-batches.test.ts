import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dealMicroBatches, microBatches, microBatchTokens } from "../../gpu/src/micro-batches.js";
import { ODD_QWEN3, randomBatch } from "./engine-fixtures.js";
import { SHAPE_1_5B } from "../bench/engine-work.js";

const batches = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 });
const most = fc.integer({ min: 1, max: 40 });
const counts = fc.integer({ min: 1, max: 5 });
const tokensOf = (parts: readonly { readonly tokens_N: Int32Array }[]) =>
  parts.flatMap(({ tokens_N }) => Array.from(tokens_N));

describe("microBatches()", () => {
  it("keeps every token in order, and no more than an even share in a part of several sequences, when there are ranks", () => {
    fc.assert(
      fc.property(batches, most, counts, (lengths, budget, ranks) => {
        const batch = randomBatch(ODD_QWEN3, lengths);
        const parts = microBatches(batch, budget, ranks);
        expect(tokensOf(parts)).toEqual(Array.from(batch.tokens_N));
        const share = Math.min(budget, Math.ceil(batch.tokens_N.length / ranks));
        for (const { tokens_N, offsets_S1 } of parts)
          expect(tokens_N.length <= share || offsets_S1.length === 2).toBe(true);
      }),
    );
  });
});

describe("dealMicroBatches()", () => {
  it("gives runs in order, none further from an even share than its longest part, when parts differ", () => {
    fc.assert(
      fc.property(batches, most, counts, (lengths, budget, ranks) => {
        const batch = randomBatch(ODD_QWEN3, lengths);
        const parts = microBatches(batch, budget, ranks);
        const runs = dealMicroBatches(parts, ranks);
        expect(runs).toHaveLength(ranks);
        expect(runs.flat()).toEqual(parts);
        const longest = Math.max(0, ...parts.map(({ tokens_N }) => tokens_N.length));
        const share = batch.tokens_N.length / ranks;
        for (const run of runs) expect(Math.abs(tokensOf(run).length - share)).toBeLessThanOrEqual(longest);
      }),
    );
  });
});

const GIB = 2 ** 30;

describe("microBatchTokens()", () => {
  it("is the same on every CPU, and at least 1024, when no GPU's memory is given", () => {
    expect(microBatchTokens({ shape: SHAPE_1_5B })).toBe(1024);
    expect(microBatchTokens({ shape: ODD_QWEN3 })).toBeGreaterThan(10_000);
  });

  it("grows with a GPU's memory in powers of two from 1024 to 16384", () => {
    const cuts = [0.5, 2, 8, 16, 32, 80].map((gib) => microBatchTokens({ shape: SHAPE_1_5B }, gib * GIB));
    expect(cuts[0]).toBe(1024);
    expect(cuts.at(-1)).toBe(16_384);
    expect(cuts).toEqual(cuts.toSorted((a, b) => a - b));
    expect(new Set(cuts).size).toBeGreaterThan(2);
    for (const cut of cuts) expect(Math.log2(cut) % 1).toBe(0);
  });

  it("is the same with a tenth less memory, but where a power of two lies between", () => {
    const [some, less] = [18 * GIB, 17 * GIB].map((bytes) => microBatchTokens({ shape: SHAPE_1_5B }, bytes));
    expect(less).toBe(some);
  });
});
