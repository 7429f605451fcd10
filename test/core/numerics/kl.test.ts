import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { klEstimate } from "../../../core/src/numerics/kl.js";

const logprob = fc.double({ min: -30, max: 0, noNaN: true });
const estimators = ["k1", "k2", "k3"] as const;

describe("klEstimate()", () => {
  // O7
  it.each([
    ["k1", 0.2231],
    ["k2", 0.0249],
    ["k3", 0.0231],
  ] as const)("gives %s = %d when the policy says 0.5 and the reference 0.4", (estimator, expected) => {
    expect(klEstimate(estimator, Math.log(0.5), Math.log(0.4)).value).toBeCloseTo(expected, 4);
  });

  it("is never negative for k2 and k3 when logprobs are any", () => {
    fc.assert(
      fc.property(logprob, logprob, (a, b) => {
        expect(klEstimate("k2", a, b).value).toBeGreaterThanOrEqual(0);
        expect(klEstimate("k3", a, b).value).toBeGreaterThanOrEqual(0);
        expect(klEstimate("k3", a, a).value).toBe(0);
      }),
    );
  });

  it("keeps digits in k3 when logprobs almost agree", () => {
    expect(klEstimate("k3", 1e-9, 0).value / 5e-19).toBeCloseTo(1, 6);
  });

  it.each(estimators)("has the finite difference of %s as slope when logprobs are any", (estimator) => {
    fc.assert(
      fc.property(fc.double({ min: -3, max: 0, noNaN: true }), fc.double({ min: -3, max: 0, noNaN: true }), (a, b) => {
        const at = (x: number) => klEstimate(estimator, x, b).value;
        expect(klEstimate(estimator, a, b).slope).toBeCloseTo((at(a + 1e-5) - at(a - 1e-5)) / 2e-5, 6);
      }),
    );
  });
});
