import { describe, expect, it } from "vitest";
import {
  digitsOf,
  drawConversion,
  parseConversion,
  textOf,
  valueOf,
} from "../../../environments/base-conversion/conversion.js";
import { conversionVerifier } from "../../../environments/base-conversion/verifier.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const verify = (answer: string, reference: string) =>
  conversionVerifier.verify(
    { id: "t", domain: "base-conversion", prompt: [], reference, meta: {} },
    makeTrajectory("x", "t", 0, { response: `</think>\\boxed{${answer}}` }),
  );

describe("conversionVerifier.verify()", () => {
  it.each([
    ["1101", "1101_2", "pass", "equal"],
    ["001101", "1101_2", "pass", "equal"],
    ["1101_2", "1101_2", "pass", "equal"],
    ["1101_{2}", "1101_2", "pass", "equal"],
    ["1101_{10}", "1101_2", "fail", "wrong-base: got 10, want 2"],
    ["ff", "FF_16", "pass", "equal"],
    ["fg", "FF_16", "fail", 'wrong-digit: "fg" is no number of base 16'],
    ["1100", "1101_2", "fail", "wrong-answer: got 1100, want 1101"],
    ["13", "1101_2", "fail", 'wrong-digit: "13" is no number of base 2'],
    ["-1101", "1101_2", "fail", 'unparsable: found "-1101"'],
    ["9007199254740993", "9007199254740992_10", "fail", "wrong-answer: got 9007199254740993, want 9007199254740992"],
    ["1", "1101", "error", 'unusable-reference: task "t" has "1101"'],
    ["1", "12_2", "error", 'unusable-reference: task "t" has "12_2"'],
    ["1", "1_99", "error", 'unusable-reference: task "t" has "1_99"'],
  ])("judges %s against %s as it should when it is boxed", (answer, reference, kind, reason) => {
    expect(verify(answer, reference)).toMatchObject({ kind, reason });
  });
});

describe("drawConversion()", () => {
  it("draws numbers of exactly the digits that the difficulty says, in two different bases", () => {
    const random = new Random(deriveKey(1));
    for (const digits of [1, 2, 5, 10]) {
      for (let draw = 0; draw < 100; draw++) {
        const conversion = drawConversion(random, digits, [2, 10, 36]);
        expect(digitsOf(conversion.value, conversion.from)).toHaveLength(digits);
        expect(conversion.from).not.toBe(conversion.to);
        expect(parseConversion(textOf(conversion))).toEqual(conversion);
        expect(valueOf(digitsOf(conversion.value, conversion.to), conversion.to)).toBe(BigInt(conversion.value));
      }
    }
  });
});
