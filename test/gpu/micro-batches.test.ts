import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dealMicroBatches, microBatches } from "../../gpu/src/micro-batches.js";
import { ODD_QWEN3, randomBatch } from "./engine-fixtures.js";

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
