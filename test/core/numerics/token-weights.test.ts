import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupTokenMeanWeights, tokenWeights } from "../../../core/src/numerics/token-weights.js";

const aggregations = ["token-mean", "seq-mean-token-mean", "seq-mean-token-sum", "seq-mean-token-sum-norm"] as const;

// A4: rewards 1 and 0 on sequences of 2 and 8 tokens.
const mask_N = new Array<number>(10).fill(1);
const offsets_S1 = [0, 2, 10];

function objective(
  aggregation: (typeof aggregations)[number],
  advantages_S: readonly [number, number],
  normConstant = 1,
) {
  const weights_N = tokenWeights({ mask_N, offsets_S1, aggregation, normConstant });
  return weights_N.reduce((sum, weight, t) => sum + weight * advantages_S[t < 2 ? 0 : 1], 0);
}

describe("tokenWeights()", () => {
  const A = Math.SQRT1_2;

  it("weighs every token alike when aggregation is token-mean", () => {
    const weights_N = tokenWeights({ mask_N, offsets_S1, aggregation: "token-mean", normConstant: 1 });
    for (const weight of weights_N) expect(weight * A).toBeCloseTo(0.0707, 4);
    expect(objective("token-mean", [A, -A])).toBeCloseTo(-0.4243, 4);
  });

  it("weighs every sequence alike when aggregation is seq-mean-token-mean", () => {
    const weights_N = tokenWeights({ mask_N, offsets_S1, aggregation: "seq-mean-token-mean", normConstant: 1 });
    expect(weights_N[0]! * A).toBeCloseTo(0.1768, 4);
    expect(weights_N[9]! * A).toBeCloseTo(0.0442, 4);
    expect(objective("seq-mean-token-mean", [A, -A])).toBeCloseTo(0, 7);
  });

  it("divides by sequences and a constant when aggregation is seq-mean-token-sum-norm", () => {
    const weights_N = tokenWeights({ mask_N, offsets_S1, aggregation: "seq-mean-token-sum-norm", normConstant: 16 });
    expect(weights_N[0]! * 0.5).toBe(0.015625);
    expect(objective("seq-mean-token-sum-norm", [0.5, -0.5], 16)).toBe(-0.09375);
    // verl leaves out the mean over the group.
    expect(2 * objective("seq-mean-token-sum-norm", [0.5, -0.5], 16)).toBe(-0.1875);
  });

  it("divides by sequences alone when aggregation is seq-mean-token-sum", () => {
    expect(objective("seq-mean-token-sum", [A, -A])).toBeCloseTo((2 * A - 8 * A) / 2, 6);
  });

  it("leaves prompt, think block and padding at 0 when the mask does", () => {
    // T2
    const mask = [...new Array<number>(14).fill(0), 1, 1, 1, 0, 0];
    const weights_N = tokenWeights({ mask_N: mask, offsets_S1: [0, 19], aggregation: "token-mean", normConstant: 1 });
    expect([...weights_N].map((weight) => Number(weight !== 0))).toEqual(mask);
  });

  it.each(aggregations)("ignores a fully masked sequence when aggregation is %s", (aggregation) => {
    const alone = tokenWeights({ mask_N: [0, 1, 1], offsets_S1: [0, 3], aggregation, normConstant: 4 });
    const beside = tokenWeights({ mask_N: [0, 1, 1, 0, 0], offsets_S1: [0, 3, 5], aggregation, normConstant: 4 });
    expect([...beside]).toEqual([...alone, 0, 0]);
  });

  it("sums to 1 under both token means and is never NaN when masks are any", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(1), { maxLength: 6 }), { maxLength: 5 }), (masks) => {
        const offsets = masks.reduce((ends, mask) => [...ends, ends.at(-1)! + mask.length], [0]);
        const mask = masks.flat();
        for (const aggregation of aggregations) {
          const weights_N = tokenWeights({ mask_N: mask, offsets_S1: offsets, aggregation, normConstant: 3 });
          for (const weight of weights_N) expect(Number.isFinite(weight)).toBe(true);
          const sum = weights_N.reduce((total, weight) => total + weight, 0);
          if (aggregation.endsWith("token-mean")) expect(sum).toBeCloseTo(mask.includes(1) ? 1 : 0, 5);
        }
      }),
    );
  });
});

describe("groupTokenMeanWeights()", () => {
  it("gives 1/20 and 1/180 where the batch's form gives 1/100 when groups have 10 and 90 tokens", () => {
    const mask = new Array<number>(100).fill(1);
    const offsets = [0, 4, 10, 100];
    const perGroup = groupTokenMeanWeights(mask, offsets, [0, 0, 1]);
    expect(perGroup[0]).toBeCloseTo(1 / 20, 7);
    expect(perGroup[99]).toBeCloseTo(1 / 180, 7);
    const perBatch = tokenWeights({ mask_N: mask, offsets_S1: offsets, aggregation: "token-mean", normConstant: 1 });
    expect(perBatch[0]).toBeCloseTo(1 / 100, 7);
  });

  it("leaves a fully masked group out when there is one", () => {
    expect([...groupTokenMeanWeights([1, 1, 0], [0, 2, 3], [0, 1])]).toEqual([0.5, 0.5, 0]);
  });
});
