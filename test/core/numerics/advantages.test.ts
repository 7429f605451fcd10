import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  batchNormalizedAdvantages,
  groupAdvantages,
  leaveOneOutAdvantages,
  returnsToGo,
  whiten,
  whitenedGroupAdvantages,
  whitenedReturns,
} from "../../../core/src/numerics/advantages.js";

const rewards = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 2, maxLength: 16 });

function expectClose(actual: ArrayLike<number>, expected: readonly number[], digits = 4) {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, digits));
}

describe("groupAdvantages()", () => {
  // A3
  it("divides by the sample deviation when nothing else is asked", () => {
    expectClose(groupAdvantages([1, 0, 0, 0]), [1.5, -0.5, -0.5, -0.5]);
    const ofEight = groupAdvantages([1, 1, 1, 1, 1, 0, 0, 0]);
    expectClose(ofEight, [0.7246, 0.7246, 0.7246, 0.7246, 0.7246, -1.2076, -1.2076, -1.2076]);
  });

  it("divides by the population deviation when std is population", () => {
    const advantages_G = groupAdvantages([1, 0, 0, 0], { std: "population", epsilon: 1e-6 });
    expectClose(advantages_G, [Math.sqrt(3), -Math.sqrt(1 / 3), -Math.sqrt(1 / 3), -Math.sqrt(1 / 3)], 5);
  });

  it("only centres when std is none", () => {
    expect(groupAdvantages([1, 0], { std: "none", epsilon: 1e-6 })).toEqual([0.5, -0.5]);
  });

  it("hardly changes when rewards become 2R - 1", () => {
    const plain = groupAdvantages([1, 0, 0, 1, 0]);
    groupAdvantages([1, -1, -1, 1, -1]).forEach((advantage, i) =>
      expect(Math.abs(advantage / plain[i]! - 1)).toBeLessThan(1e-5),
    );
  });

  it("gives exactly 0 when every reward is equal", () => {
    fc.assert(
      fc.property(fc.double({ min: -9, max: 9, noNaN: true }), fc.integer({ min: 2, max: 9 }), (reward, size) => {
        const group = new Array<number>(size).fill(reward);
        for (const std of ["sample", "population", "none"] as const) {
          for (const advantage of groupAdvantages(group, { std, epsilon: 1e-6 })) expect(Math.abs(advantage)).toBe(0);
        }
        for (const advantage of leaveOneOutAdvantages(group)) expect(Math.abs(advantage)).toBe(0);
      }),
    );
  });

  it("sums to 0 when rewards are any", () => {
    fc.assert(
      fc.property(rewards, (rewards_G) => {
        const sum = groupAdvantages(rewards_G).reduce((total, advantage) => total + advantage, 0);
        expect(sum).toBeCloseTo(0, 6);
      }),
    );
  });

  it("gives the reward itself when the group has one trajectory", () => {
    expectClose(groupAdvantages([0.7]), [0.7], 5);
    expect(leaveOneOutAdvantages([0.7])).toEqual([0.7]);
  });
});

describe("leaveOneOutAdvantages()", () => {
  it("takes off the mean of the others when a group has several", () => {
    expectClose(leaveOneOutAdvantages([1, 0, 0, 0]), [1, -1 / 3, -1 / 3, -1 / 3], 12);
    fc.assert(
      fc.property(rewards, (rewards_G) => {
        const expected = rewards_G.map((reward, i) => {
          const others = rewards_G.filter((_, j) => j !== i);
          return reward - others.reduce((sum, other) => sum + other, 0) / others.length;
        });
        expectClose(leaveOneOutAdvantages(rewards_G), expected, 9);
      }),
    );
  });
});

describe("batchNormalizedAdvantages()", () => {
  it("shares one deviation over the batch when groups differ", () => {
    // Centred: ±0.5, 0, 0; sample deviation over four samples is sqrt(1/6).
    expectClose(
      batchNormalizedAdvantages([
        [1, 0],
        [1, 1],
      ]),
      [1.2247, -1.2247, 0, 0],
    );
  });

  it("gives 0 when every group's rewards are equal", () => {
    expect(
      batchNormalizedAdvantages([
        [0.1, 0.1, 0.1],
        [1, 1],
      ]),
    ).toEqual([0, 0, 0, 0, 0]);
  });
});

describe("returnsToGo()", () => {
  it("discounts what comes later when rewards are spread", () => {
    expect([...returnsToGo([1, 0, 4], 0.5)]).toEqual([2, 2, 4]);
    expect([...returnsToGo([], 0.5)]).toEqual([]);
  });
});

describe("whitenedReturns()", () => {
  it("compares with the whole batch when rewards come one token each", () => {
    // O5
    expectClose(
      whitenedReturns([[1], [0], [1], [1]], 1).flatMap((values) => [...values]),
      [0.5, -1.5, 0.5, 0.5],
    );
  });

  it("leaves masked tokens at 0 and out of the moments when a mask is given", () => {
    const whole = whitenedReturns([[1], [0], [1], [1]], 1).map((values) => values[0]!);
    const masked = whitenedReturns([[9, 1], [0], [1], [1]], 1, [[0, 1], [1], [1], [1]]);
    expect(masked.map((values) => values.at(-1))).toEqual(whole);
    expect(masked[0]![0]).toBe(0);
  });
});

describe("whitenedGroupAdvantages()", () => {
  it("gives all-correct groups nothing when lengths are alike, and something when they differ", () => {
    // O5
    const alike = whitenedGroupAdvantages(
      [
        [1, 0],
        [1, 1],
      ],
      [
        [1, 1],
        [1, 1],
      ],
    );
    expectClose(
      alike.map((values) => values[0]!),
      [1.2247, -1.2247, 0, 0],
    );
    const differing = whitenedGroupAdvantages(
      [
        [1, 0],
        [1, 1],
      ],
      [
        [1, 3],
        [2, 2],
      ],
    );
    expect(differing.map((values) => values.length)).toEqual([1, 3, 2, 2]);
    expectClose(
      differing.map((values) => values.at(-1)!),
      [1.7678, -1.0607, 0.3536, 0.3536],
    );
  });

  it("throws LENGTH_MISMATCH when a length is missing", () => {
    expect(() => whitenedGroupAdvantages([[1, 0]], [[1]])).toThrow(
      expect.objectContaining({ code: "LENGTH_MISMATCH" }),
    );
  });
});

describe("whiten()", () => {
  it("gives 0 and never NaN when values are equal, single or absent", () => {
    expect(whiten([[2, 2], [2]]).flatMap((values) => [...values])).toEqual([0, 0, 0]);
    expect([...whiten([[7]])[0]!]).toEqual([0]);
    expect(whiten([])).toEqual([]);
    expect([...whiten([[1, 2]], [[0, 0]])[0]!]).toEqual([0, 0]);
  });

  it("throws LENGTH_MISMATCH when a mask has another length", () => {
    expect(() => whiten([[1, 2]], [[1]])).toThrow(expect.objectContaining({ code: "LENGTH_MISMATCH" }));
  });
});
