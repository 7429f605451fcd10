import { describe, expect, it } from "vitest";
import { clippedSurrogate } from "../../../core/src/numerics/clipped-surrogate.js";

const dapo = { clipLow: 0.2, clipHigh: 0.28, dualClip: Infinity };

describe("clippedSurrogate()", () => {
  // O1: advantage, ratio, value, whether the gradient flows.
  it.each([
    [1, 1.25, 1.25, true],
    [1, 1.3, 1.28, false],
    [1, 0.5, 0.5, true],
    [-1, 0.7, -0.8, false],
    [-1, 0.9, -0.9, true],
    [-1, 1.5, -1.5, true],
    [-1, 4, -4, true],
  ])("has the value of DAPO when advantage is %d and ratio is %d", (advantage, ratio, value, flows) => {
    const surrogate = clippedSurrogate(ratio, advantage, dapo);
    expect(surrogate.value).toBeCloseTo(value, 12);
    expect(surrogate.slope).toBe(flows ? advantage : 0);
  });

  it("stops at 1.20 when bounds are symmetric", () => {
    const surrogate = clippedSurrogate(1.25, 1, { ...dapo, clipHigh: 0.2 });
    expect(surrogate).toEqual({ value: 1.2, slope: 0, clipped: "high" });
  });

  it("falls no lower than dualClip times the advantage when that is negative", () => {
    expect(clippedSurrogate(4, -1, { ...dapo, dualClip: 3 })).toEqual({ value: -3, slope: 0, clipped: "dual" });
    expect(clippedSurrogate(4, 1, { ...dapo, dualClip: 3, clipHigh: 9 }).value).toBe(4);
  });

  it("is not clipped when the ratio lies on a bound or the advantage is 0", () => {
    expect(clippedSurrogate(1.28, 1, dapo).clipped).toBe("no");
    expect(clippedSurrogate(0.8, -1, dapo).clipped).toBe("no");
    expect(clippedSurrogate(9, 0, dapo)).toEqual({ value: 0, slope: 0, clipped: "no" });
  });
});
