import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logSoftmax, tokenLogprob, tokenLogprobBackward } from "../../../core/src/numerics/token-logprobs.js";

const logits = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 6 });

describe("tokenLogprob()", () => {
  it("gives the worked probabilities when logits are 0.2, -0.1, 0.4", () => {
    const { logprob } = tokenLogprob([0.2, -0.1, 0.4], 0, 1);
    expect(Math.exp(logprob)).toBeCloseTo(Math.exp(0.2) / (Math.exp(0.2) + Math.exp(-0.1) + Math.exp(0.4)), 12);
  });

  it.each([
    [1, 0.8324],
    [0.85, 0.7568],
    [0.6, 0.5567],
  ])("has the entropy of check A13 when logits 2, 1, 0 are sampled at temperature %d", (temperature, entropy) => {
    expect(tokenLogprob([2, 1, 0], 0, temperature).entropy).toBeCloseTo(entropy, 4);
  });

  it("has entropy log V when all logits are equal and 0 when one token has all the mass", () => {
    expect(tokenLogprob([3, 3, 3, 3], 1, 0.5).entropy).toBeCloseTo(Math.log(4), 12);
    expect(tokenLogprob([0, -Infinity], 0, 1)).toEqual({ logprob: 0, entropy: 0 });
  });

  it("stays finite when logits are huge", () => {
    expect(tokenLogprob([1e4, 0], 1, 1).logprob).toBe(-1e4);
  });

  it("divides logits by the temperature when it is not 1", () => {
    expect(tokenLogprob([1, 2], 0, 2)).toEqual(tokenLogprob([0.5, 1], 0, 1));
  });
});

describe("logSoftmax()", () => {
  it("gives probabilities that sum to 1 when logits are any", () => {
    fc.assert(
      fc.property(logits, (values) => {
        expect(logSoftmax(values, 0.7).reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 12);
      }),
    );
  });
});

describe("tokenLogprobBackward()", () => {
  it("agrees with finite differences when logits and derivatives are any", () => {
    fc.assert(
      fc.property(logits, fc.nat(5), fc.constantFrom(0.5, 1, 1.7), (values, at, temperature) => {
        const token = at % values.length;
        const gradient = tokenLogprobBackward(values, token, temperature, 0.7, -1.3);
        const lossAt = (v: number, by: number) => {
          const moved = values.map((value, i) => (i === v ? value + by : value));
          const { logprob, entropy } = tokenLogprob(moved, token, temperature);
          return 0.7 * logprob - 1.3 * entropy;
        };
        gradient.forEach((slope, v) => expect(slope).toBeCloseTo((lossAt(v, 1e-5) - lossAt(v, -1e-5)) / 2e-5, 6));
      }),
    );
  });

  it("gives 0 and not NaN when a token has no mass", () => {
    expect(Math.abs(tokenLogprobBackward([0, -Infinity], 0, 1, 1, 1)[1]!)).toBe(0);
  });
});
