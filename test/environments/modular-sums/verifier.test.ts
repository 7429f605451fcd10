import { describe, expect, it } from "vitest";
import { drawChain, parseChain, resultOf, sumsOf, textOf } from "../../../environments/modular-sums/chain.js";
import { chainVerifier } from "../../../environments/modular-sums/verifier.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const verify = (answer: string, reference: string) =>
  chainVerifier.verify(
    { id: "t", domain: "modular-sums", prompt: [], reference, meta: {} },
    makeTrajectory("x", "t", 0, { response: `</think>\\boxed{${answer}}` }),
  );

describe("chainVerifier.verify()", () => {
  it.each([
    ["7", "7 mod 9", "pass", "equal"],
    [" +07 ", "7 mod 9", "pass", "equal"],
    ["7 mod 9", "7 mod 9", "pass", "equal"],
    ["7 \\pmod{9}", "7 mod 9", "pass", "equal"],
    ["7\\bmod 9", "7 mod 9", "pass", "equal"],
    ["7 mod 8", "7 mod 9", "fail", "wrong-modulus: got 8, want 9"],
    ["16", "7 mod 9", "fail", "not-reduced: got 16, want it from 0 to 8"],
    ["-2", "7 mod 9", "fail", "not-reduced: got -2, want it from 0 to 8"],
    ["6", "7 mod 9", "fail", "wrong-answer: got 6, want 7"],
    ["7.0", "7 mod 9", "fail", 'unparsable: found "7.0"'],
    ["7 mod", "7 mod 9", "fail", 'unparsable: found "7 mod"'],
    ["1", "7", "error", 'unusable-reference: task "t" has "7"'],
    ["1", "9 mod 9", "error", 'unusable-reference: task "t" has "9 mod 9"'],
    ["1", "-1 mod 9", "error", 'unusable-reference: task "t" has "-1 mod 9"'],
  ])("judges %s against %s as it should when it is boxed", (answer, reference, kind, reason) => {
    expect(verify(answer, reference)).toMatchObject({ kind, reason });
  });
});

describe("drawChain()", () => {
  const limits = { summands: 3, maxSummand: 12, maxModulus: 7 };

  it("draws as many sums as the difficulty says, within the limits, that their text gives back", () => {
    const random = new Random(deriveKey(1));
    for (const length of [1, 2, 12])
      for (let draw = 0; draw < 100; draw++) {
        const chain = drawChain(random, length, limits);
        expect(chain.map(({ summands }) => summands.length)).toEqual([
          3,
          ...Array.from({ length: length - 1 }, () => 2),
        ]);
        const summands = chain.flatMap((link) => link.summands);
        expect(Math.min(...summands)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...summands)).toBeLessThanOrEqual(12);
        for (const { modulus } of chain) expect([2, 3, 4, 5, 6, 7]).toContain(modulus);
        expect(parseChain(textOf(chain))).toEqual(chain);
      }
  });

  it("is worth what its sums say, one after the other", () => {
    const chain = parseChain("17+25%13 31%9") ?? [];
    expect(sumsOf(chain)).toEqual(["(17 + 25) mod 13", "(a + 31) mod 9"]);
    expect(resultOf(chain)).toBe((((17 + 25) % 13) + 31) % 9);
  });

  it.each(["", " ", "1+2", "1+2%1", "1+2%3 ", "1+%3", "1+2%3  4%5", "-1%3"])("has no chain for %j", (text) => {
    expect(parseChain(text)).toBeUndefined();
  });
});
