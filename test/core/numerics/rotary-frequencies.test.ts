import { describe, expect, it } from "vitest";
import { rotaryFrequencies } from "../../../core/src/numerics/rotary-frequencies.js";

describe("rotaryFrequencies()", () => {
  it("falls geometrically from 1 when nothing is stretched", () => {
    expect([...rotaryFrequencies({ headSize: 8, ropeTheta: 10_000 })]).toEqual([1, 0.1, 0.01, 0.001].map(closeTo));
  });

  it("keeps fast pairs, divides slow ones, and mixes in between when stretched", () => {
    const scaled = rotaryFrequencies({
      headSize: 8,
      ropeTheta: 10_000,
      ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 1_000 },
    });
    // Turns within 1,000 positions: 159, 15.9, 1.59 and 0.159.
    const keep = (1_000 * 0.01) / (2 * Math.PI) / 3 - 1 / 3;
    expect([...scaled]).toEqual([1, 0.1, 0.01 * (keep + (1 - keep) / 8), 0.001 / 8].map(closeTo));
  });
});

function closeTo(value: number): unknown {
  return expect.closeTo(value, 12);
}
