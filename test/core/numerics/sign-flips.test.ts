import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { signFlipTest } from "../../../core/src/numerics/sign-flips.js";

const random = (): Random => new Random(deriveKey(1, "flips"));

describe("signFlipTest()", () => {
  it("counts the flips that are as far from 0 as what was seen", () => {
    // Three equal differences: of 8 patterns, the two of one sign. Over two seeds of two: 2 of 16.
    expect(signFlipTest([[1, 1, 1]], random())).toBeCloseTo(0.25, 1);
    expect(
      signFlipTest(
        [
          [1, 1],
          [1, 1],
        ],
        random(),
      ),
    ).toBeCloseTo(0.125, 1);
    // 1, 1, −1: patterns of mean ±1/3 or ±1 are all of them.
    expect(signFlipTest([[1, 1, -1]], random())).toBe(1);
  });

  it("gives the same p when problems that both answered alike are added, and 1 when all are", () => {
    const once = signFlipTest([[1, 1, 1, 1]], random());
    expect(signFlipTest([[1, 0, 1, 0, 1, 0, 1]], random())).toBe(once);
    expect(
      signFlipTest(
        [
          [0, 0],
          [0, 0],
        ],
        random(),
      ),
    ).toBe(1);
  });

  it("is NaN when nothing was paired", () => {
    expect(signFlipTest([], random())).toBeNaN();
    expect(signFlipTest([[1], []], random())).toBeNaN();
  });

  it("is a probability, and does not care who is compared with whom", () => {
    const rows = fc.array(fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(rows, (differences_S_P) => {
        const p = signFlipTest(differences_S_P, random());
        expect(p).toBeGreaterThan(0);
        expect(p).toBeLessThanOrEqual(1);
        const swapped_S_P = differences_S_P.map((row) => row.map((value) => -value));
        expect(signFlipTest(swapped_S_P, random())).toBe(p);
      }),
      { numRuns: 20 },
    );
  });
});
