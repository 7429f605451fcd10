import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { learningRateAt } from "../../../core/src/numerics/learning-rate.js";

describe("learningRateAt()", () => {
  it("rises over the warm-up steps, then follows the schedule", () => {
    const at = (schedule: "constant" | "linear" | "cosine", step: number) =>
      learningRateAt({ peak: 2, schedule, warmupSteps: 4, floor: 0.1 }, step, step / 100);
    expect([1, 2, 4, 100].map((step) => at("constant", step))).toEqual([0.5, 1, 2, 2]);
    expect(at("linear", 50)).toBeCloseTo(2 * 0.55, 12);
    expect(at("cosine", 50)).toBeCloseTo(2 * 0.55, 12);
    expect(at("cosine", 25)).toBeCloseTo(2 * (0.1 + 0.9 * (0.5 + Math.SQRT1_2 / 2)), 12);
    for (const schedule of ["linear", "cosine"] as const) expect(at(schedule, 100)).toBeCloseTo(0.2, 12);
  });

  it("never leaves [floor · peak, peak] after the warm-up and never rises again", () => {
    const schedules = fc.constantFrom("constant", "linear", "cosine");
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(schedules, share, share, share, (schedule, floor, a, b) => {
        const rate = (progress: number) => learningRateAt({ peak: 1, schedule, warmupSteps: 0, floor }, 1, progress);
        expect(rate(Math.max(a, b))).toBeLessThanOrEqual(rate(Math.min(a, b)) + 1e-12);
        expect(rate(a)).toBeGreaterThanOrEqual(floor - 1e-12);
        expect(rate(a)).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });
});
