import { describe, expect, it } from "vitest";
import { byLength, difficultyOf, POOLS, withinLimits } from "../../../core/src/data/difficulty.js";
import type { DataRow } from "../../../core/src/data/row.js";
import { deriveKey } from "../../../core/src/numerics/random.js";

function rowOf(difficulty: object): DataRow {
  return { number: 7, id: "a", value: JSON.parse(JSON.stringify({ difficulty })) };
}

function solved(passes: number, attempts: number): DataRow {
  const score = { attempts, passes, policy: "p", sampling: "T 0.6", verifier: "math", verifierVersion: "1" };
  return rowOf(score);
}

function kept(counts: readonly number[], attempts: number, limits: { maxPasses?: number; maxFailures?: number }) {
  return counts.filter((passes) => withinLimits(solved(passes, attempts), { of: attempts, ...limits }).keep);
}

describe("withinLimits()", () => {
  it("makes the pools of check A7: more than 6, 10 or 14 of 16 is too easy, never solved stays", () => {
    const counts = [0, 3, 6, 7, 11, 15, 16];
    expect(kept(counts, 16, { maxPasses: POOLS.hard })).toEqual([0, 3, 6]);
    expect(kept(counts, 16, { maxPasses: POOLS.medium })).toEqual([0, 3, 6, 7]);
    expect(kept(counts, 16, { maxPasses: POOLS.easy })).toEqual([0, 3, 6, 7, 11]);
  });

  it("makes the stages of check A8: at most 5 or 7 failures of 8, and 8 never", () => {
    const passes = [8, 7, 6, 5, 4, 3, 2, 1, 0];
    expect(kept(passes, 8, { maxFailures: 5 })).toEqual([8, 7, 6, 5, 4, 3]);
    expect(kept(passes, 8, { maxFailures: 7 })).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it("removes only what every rollout solves when 7 of 8 may (check A8, epoch filter)", () => {
    expect(kept([8, 7, 0], 8, { maxPasses: 7 })).toEqual([7, 0]);
  });

  it("throws SCORE_NOT_VALID for another number of attempts", () => {
    expect(() => withinLimits(solved(3, 8), { of: 16, maxPasses: 6 })).toThrow(
      expect.objectContaining({
        code: "SCORE_NOT_VALID",
        message: expect.stringContaining("8 attempts, wanted are 16"),
      }),
    );
  });
});

describe("difficultyOf()", () => {
  it("throws SCORE_NOT_VALID for a score without policy or verifier version", () => {
    const bare = { attempts: 8, passes: 2 };
    expect(() => difficultyOf(rowOf(bare))).toThrow(
      expect.objectContaining({ code: "SCORE_NOT_VALID", message: expect.stringMatching(/row 7.*policy/) }),
    );
    expect(() => difficultyOf(rowOf({ ...bare, passes: 9 }))).toThrow(
      expect.objectContaining({ code: "SCORE_NOT_VALID" }),
    );
  });
});

describe("byLength()", () => {
  const limits = { min: 2000, sampleTo: 4000, oneIn: 2 };

  it("draws the lines of check A10", () => {
    expect(byLength(1999, 0, limits)).toMatchObject({ keep: false, reason: "answered-briefly" });
    for (const tokens of [2000, 3999, 4000]) {
      expect(byLength(tokens, 0.49, limits).keep).toBe(true);
      expect(byLength(tokens, 0.5, limits)).toMatchObject({ keep: false, reason: "thinned-out" });
    }
    expect(byLength(4001, 0.99, limits).keep).toBe(true);
  });

  it("keeps about one in two when the chance is a row's own", () => {
    const chances = Array.from({ length: 2000 }, (_, i) => deriveKey(0, "data/lengths", `row ${i}`)[0] / 2 ** 32);
    const share = chances.filter((chance) => byLength(3000, chance, limits).keep).length / chances.length;
    // Five standard deviations of a fair coin.
    expect(Math.abs(share - 0.5)).toBeLessThan(0.056);
  });
});
