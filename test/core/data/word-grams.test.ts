import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GramIndex, wordsOf } from "../../../core/src/data/word-grams.js";

function textOf(from: number, count: number): string {
  return Array.from({ length: count }, (_, i) => `w${from + i}`).join(" ");
}

describe("GramIndex.find()", () => {
  it.each([
    [9, "mathematics"],
    [14, "code"],
  ])("finds %i words in a row that are shared, and not one fewer (check A9, %s)", (n) => {
    const index = new GramIndex(n);
    index.add(textOf(0, 40), "benchmark:1");
    const shares = (count: number) => index.find(`${textOf(1000, 5)} ${textOf(7, count)} ${textOf(2000, 5)}`);
    expect(shares(n)).toEqual({ gram: textOf(7, n), source: "benchmark:1" });
    expect(shares(n - 1)).toBeUndefined();
  });

  it("does not care for case, punctuation and layout", () => {
    const index = new GramIndex(3);
    index.add("Let ABC be a triangle.", "t:1");
    expect(index.find("LET   abc, be!")).toMatchObject({ source: "t:1" });
  });

  it("finds nothing in texts shorter than n words, and every text in itself", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { maxLength: 12 }),
        fc.integer({ min: 1, max: 12 }),
        (words, n) => {
          const index = new GramIndex(n);
          index.add(words.join(" "), "self");
          expect(index.find(words.join(", ")) !== undefined).toBe(words.length >= n);
        },
      ),
    );
  });
});

describe("wordsOf()", () => {
  it("has nothing but words, in lower case", () => {
    expect(wordsOf("Find $x+1$ — if  it's “large”!")).toEqual(["find", "x1", "if", "its", "large"]);
    expect(wordsOf("  ")).toEqual([]);
  });
});
