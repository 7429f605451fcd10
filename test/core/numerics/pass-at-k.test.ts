import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { passAtK } from "../../../core/src/numerics/pass-at-k.js";

describe("passAtK()", () => {
  // O8
  it.each([
    [16, 6, 1, 0.375],
    [16, 6, 8, 0.9965],
    [64, 2, 8, 0.2361],
  ])("has the worked value when n is %d, c is %d and k is %d", (samples, correct, k, expected) => {
    expect(passAtK(samples, correct, k)).toBeCloseTo(expected, 4);
  });

  it("is 1 when fewer than k answers are wrong, and 0 when all are", () => {
    expect(passAtK(8, 5, 4)).toBe(1);
    expect(passAtK(8, 0, 8)).toBe(0);
  });

  it("is the mean over all subsets when n is small", () => {
    const size = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(size, size, size, (n, c, k) => {
        fc.pre(c <= n && k <= n);
        let hits = 0;
        let subsets = 0;
        for (let subset = 0; subset < 1 << n; subset++) {
          const members = Array.from({ length: n }, (_, i) => (subset >> i) & 1);
          if (members.reduce((sum, member) => sum + member, 0) !== k) continue;
          subsets++;
          if (members.slice(0, c).includes(1)) hits++;
        }
        expect(passAtK(n, c, k)).toBeCloseTo(hits / subsets, 9);
      }),
    );
  });

  it.each([
    [4, 5, 1],
    [4, -1, 1],
    [4, 2, 5],
    [4, 2, 0],
    [0, 0, 1],
  ])("throws PASS_AT_K_NOT_DEFINED when n is %d, c is %d and k is %d", (samples, correct, k) => {
    expect(() => passAtK(samples, correct, k)).toThrow(expect.objectContaining({ code: "PASS_AT_K_NOT_DEFINED" }));
  });
});
