import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { cosine, updateAlignment } from "../../../core/src/numerics/update-alignment.js";

describe("cosine()", () => {
  it("is 8/9 when the directions are (2, 1, 2) and (1, 2, 2)", () => {
    // T9
    expect(cosine([2, 1, 2], [1, 2, 2])).toBeCloseTo(8 / 9, 12);
  });

  it("is 0 when a direction is 0, and throws when lengths differ", () => {
    expect(cosine([0, 0], [1, 2])).toBe(0);
    expect(() => cosine([1], [1, 2])).toThrow(expect.objectContaining({ code: "LENGTH_MISMATCH" }));
  });
});

describe("updateAlignment()", () => {
  const layers = (a: number[], b: number[]) =>
    new Map([
      ["a", a],
      ["b", b],
    ]);

  it("compares movements from the start per tensor and as a whole when tensors are several", () => {
    const start = layers([1, 1, 1], [5]);
    const alignment = updateAlignment(start, layers([3, 2, 3], [5]), layers([2, 3, 3], [4]), new Random(deriveKey(1)));
    expect([...alignment.keys()]).toEqual(["a", "b", ""]);
    expect(alignment.get("a")!.cosine).toBeCloseTo(8 / 9, 12);
    expect(alignment.get("b")!.cosine).toBe(0);
    expect(alignment.get("")!.cosine).toBeCloseTo(8 / (3 * Math.sqrt(10)), 12);
  });

  it("has a control near 0 when there are many parameters", () => {
    const ones = new Array<number>(10_000).fill(1);
    const zeros = ones.map(() => 0);
    const alignment = updateAlignment(layers(zeros, []), layers(ones, []), layers(ones, []), new Random(deriveKey(2)));
    expect(alignment.get("a")!.cosine).toBeCloseTo(1, 12);
    // Five standard deviations of a cosine with a random direction in 10,000 dimensions.
    expect(Math.abs(alignment.get("a")!.control)).toBeLessThan(0.05);
    expect(alignment.get("")).toEqual(alignment.get("a"));
  });

  it("throws LENGTH_MISMATCH when a tensor is missing", () => {
    const compare = () =>
      updateAlignment(layers([1], [1]), new Map([["a", [1]]]), layers([1], [1]), new Random([0, 0]));
    expect(compare).toThrow(expect.objectContaining({ code: "LENGTH_MISMATCH" }));
  });
});
