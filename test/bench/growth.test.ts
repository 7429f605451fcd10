import { describe, expect, it } from "vitest";
import { growthOf } from "./growth.js";

describe("growthOf()", () => {
  it("gives the slope exactly when readings lie on a line", () => {
    const { slope, within } = growthOf([0, 1, 2, 3].map((at) => ({ at, value: 7 + 2 * at })));
    expect(slope).toBeCloseTo(2, 12);
    expect(within).toBeCloseTo(0, 12);
  });

  it("is as unsure as its readings scatter", () => {
    const scattered = Array.from({ length: 100 }, (_, at) => ({ at, value: at % 2 === 0 ? 500 : -500 }));
    const { slope, within } = growthOf(scattered);
    // Standard error 500 / sqrt(sum of squares of 0…99 around their middle, 83 325), times 1.96.
    expect(within).toBeCloseTo((1.96 * 500) / Math.sqrt(83_325), 1);
    expect(Math.abs(slope)).toBeLessThan(within);
  });

  it("knows nothing from fewer than three readings, or from readings of one moment", () => {
    expect(
      growthOf([
        { at: 0, value: 1 },
        { at: 1, value: 3 },
      ]),
    ).toEqual({ slope: 2, within: Infinity });
    expect(growthOf([])).toEqual({ slope: 0, within: Infinity });
    expect(
      growthOf([
        { at: 1, value: 1 },
        { at: 1, value: 3 },
      ]),
    ).toEqual({ slope: 0, within: Infinity });
  });
});
