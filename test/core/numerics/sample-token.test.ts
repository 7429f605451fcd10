import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { sampleToken, type TokenSampling } from "../../../core/src/numerics/sample-token.js";

const plain: TokenSampling = { temperature: 1, topP: 1, topK: 0, minP: 0 };
// Probabilities 0.1, 0.4, 0.2, 0.3.
const logits_V = [0.1, 0.4, 0.2, 0.3].map(Math.log);

/** Every id that some uniform number picks. */
function reachable(sampling: TokenSampling, logits: readonly number[] = logits_V): number[] {
  const ids = Array.from({ length: 2000 }, (_, i) => sampleToken(logits, sampling, i / 2000));
  return [...new Set(ids)].sort((a, b) => a - b);
}

describe("sampleToken()", () => {
  it("inverts the cumulative distribution over ascending ids when nothing is cut", () => {
    const edges = [0, 0.0999, 0.1001, 0.4999, 0.5001, 0.6999, 0.7001, 0.9999];
    expect(edges.map((uniform) => sampleToken(logits_V, plain, uniform))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });

  it("takes the largest logit and the lowest id among equals when the temperature is 0", () => {
    expect(sampleToken([1, 3, 3, 2], { ...plain, temperature: 0 }, 0.99)).toBe(1);
    expect(sampleToken([1, 3, 3, 2], { ...plain, temperature: 0, logitBias: [[3, 1.5]] }, 0.01)).toBe(3);
  });

  it("keeps the most probable when top-k, top-p or min-p cut", () => {
    expect(reachable(plain)).toEqual([0, 1, 2, 3]);
    expect(reachable({ ...plain, topK: 2 })).toEqual([1, 3]);
    expect(reachable({ ...plain, topP: 0.69 })).toEqual([1, 3]);
    expect(reachable({ ...plain, topP: 0.71 })).toEqual([1, 2, 3]);
    expect(reachable({ ...plain, topP: 0.01 })).toEqual([1]);
    expect(reachable({ ...plain, minP: 0.7 })).toEqual([1, 3]);
    expect(reachable({ ...plain, minP: 0.49 })).toEqual([1, 2, 3]);
    // Of the two that top-k leaves, 0.4 alone is 4/7 of the mass.
    expect(reachable({ ...plain, topK: 2, topP: 0.57 })).toEqual([1]);
    expect(reachable({ ...plain, topK: 2, topP: 0.58 })).toEqual([1, 3]);
    expect(reachable({ ...plain, topK: 2 }, [0, 0, 0, 0])).toEqual([0, 1]);
  });

  it("adds the bias before the temperature when one is given", () => {
    const biased = { ...plain, temperature: 0.5, logitBias: [[0, Math.log(4)]] as const };
    expect(sampleToken(logits_V, biased, 0.35)).toBe(0);
    expect(sampleToken(logits_V, biased, 0.36)).toBe(1);
    expect(reachable({ ...plain, logitBias: [[1, -Infinity]] })).toEqual([0, 2, 3]);
  });

  it("draws tokens as often as they are probable when uniforms come from a generator", () => {
    const random = new Random(deriveKey(5));
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) counts[sampleToken(logits_V, plain, random.uniform())]!++;
    counts.forEach((count, id) => expect(Math.abs(count / 10_000 - Math.exp(logits_V[id]!))).toBeLessThan(0.025));
  });

  it("gives an id of the vocabulary when logits and settings are any", () => {
    const settings = fc.record({
      temperature: fc.double({ min: 0, max: 2, noNaN: true }),
      topP: fc.double({ min: 0, max: 1, noNaN: true }),
      topK: fc.nat(5),
      minP: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const logits = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 8 });
    const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(logits, settings, uniform, (values, sampling, u) => {
        const token = sampleToken(values, sampling, u);
        expect(Number.isInteger(token) && token >= 0 && token < values.length).toBe(true);
      }),
    );
  });
});
