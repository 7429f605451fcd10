import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  mean,
  meanInterval,
  quantile,
  standardDeviation,
  studentInterval,
  variance,
  wilsonInterval,
} from "../../../core/src/numerics/statistics.js";

describe("mean()", () => {
  it("is the value itself, to the bit, when all values are equal", () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: 1, max: 20 }),
        (value, count) => {
          expect(mean(new Array<number>(count).fill(value)) - value).toBe(0);
        },
      ),
    );
  });

  it("is NaN when there are no values", () => {
    expect(mean([])).toBeNaN();
  });

  it("is the share of truncated answers, which is not the share of clipped ratios, when 410 of 2048 are cut", () => {
    // T6
    const isCut = Array.from({ length: 256 * 8 }, (_, i) => Number(i < 410));
    expect(mean(isCut)).toBeCloseTo(0.2002, 4);
  });
});

describe("standardDeviation()", () => {
  it("divides by n - 1 or n when asked", () => {
    expect(standardDeviation([1, 0, 0, 0], "sample")).toBe(0.5);
    expect(standardDeviation([1, 0, 0, 0], "population")).toBeCloseTo(0.433, 4);
    expect(variance([7], "population")).toBe(0);
    expect(variance([7], "sample")).toBeNaN();
  });
});

describe("quantile()", () => {
  it("interpolates between neighbours when the position is not whole", () => {
    const values = [4, 1, 3, 2];
    expect([0, 0.25, 0.5, 1].map((q) => quantile(values, q))).toEqual([1, 1.75, 2.5, 4]);
    expect(values).toEqual([4, 1, 3, 2]);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe("wilsonInterval()", () => {
  it("has the textbook bounds when 8 of 10 succeed", () => {
    const { low, high } = wilsonInterval(8, 10);
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
  });

  it("contains the share and stays inside [0, 1] when counts are any", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), (successes, failures) => {
        const trials = successes + failures;
        const { low, high } = wilsonInterval(successes, trials);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        if (trials > 0) {
          expect(low).toBeLessThanOrEqual(successes / trials + 1e-12);
          expect(high).toBeGreaterThanOrEqual(successes / trials - 1e-12);
          expect(high - low).toBeGreaterThan(0);
        }
      }),
    );
  });
});

describe("meanInterval()", () => {
  it("reaches 1.96 standard errors to either side when values are paired differences", () => {
    const { low, high } = meanInterval([1, 0, 0, 0]);
    expect(low).toBeCloseTo(0.25 - 1.96 * 0.25, 4);
    expect(high).toBeCloseTo(0.25 + 1.96 * 0.25, 4);
  });
});

describe("studentInterval()", () => {
  it("reaches t standard errors to either side when values are few", () => {
    // s = 1, t(2) = 4.30265: 4.30265 / √3
    expect(studentInterval([1, 2, 3])).toEqual({ low: expect.closeTo(-0.48414, 4), high: expect.closeTo(4.48414, 4) });
    // s = √2.5, t(4) = 2.77645: 2.77645 · 1.58114 / √5
    expect(studentInterval([1, 2, 3, 4, 5]).high).toBeCloseTo(3 + 1.96324, 4);
  });

  it("joins its table to the expansion beyond it", () => {
    const widthOf = (n: number): number => {
      const { low, high } = studentInterval(Array.from({ length: n }, (_, i) => i % 2));
      return ((high - low) / 2) * Math.sqrt(n - 1) * 2;
    };
    // For half ones the error is 1 / (2 √(n − 1)), so this is t: t(29) = 2.0452, t(31) = 2.0395, t(39) = 2.0227
    expect(widthOf(30)).toBeCloseTo(2.0452, 3);
    expect(widthOf(32)).toBeCloseTo(2.0395, 2);
    expect(widthOf(40)).toBeCloseTo(2.0227, 2);
  });

  it("has no bounds for one value", () => {
    expect(studentInterval([1])).toEqual({ low: NaN, high: NaN });
  });
});
