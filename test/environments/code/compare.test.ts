import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outputDifference } from "../../../environments/code/compare-output.js";
import { equalValues } from "../../../environments/code/compare-values.js";
import { decodeValue, showValue, valueOf } from "../../../environments/code/value-codec.js";

describe("outputDifference()", () => {
  it.each([
    ["1 2 \n", "1 2", "lines"],
    ["1 2\r\n3\n\n", "1 2\n3", "exact"],
    ["0.10", "0.1", "lines"],
    ["1e3", "1000.0", "lines"],
    ["3.0", "3", "lines"],
    ["+5 007", "5 7", "lines"],
    ["0.3333333", "0.33333330001", "lines"],
    ["1000000.4", "1000000.9", "lines"],
    ["1  2\t3", "1 2 3", "lines"],
    ["1\n2\n3", "1 2 3", "tokens"],
    ["nan inf", "nan inf", "tokens"],
    ["", "\n\n", "exact"],
    ["123456789012345678901234567890", "123456789012345678901234567890", "tokens"],
  ] as const)("takes %j for %j with checker %s", (actual, expected, checker) => {
    expect(outputDifference(actual, expected, checker, 1e-6)).toBeUndefined();
  });

  it.each([
    ["1\n2", "1 2", "lines", 'line 1: got "1", want "1 2"'],
    ["1\n2\n3", "1\n2", "lines", "got 3 lines, want 2"],
    ["1", "1\n2", "lines", 'line 2: got nothing, want "2"'],
    ["1  2", "1 2", "exact", 'line 1: got "1  2", want "1 2"'],
    ["yes", "Yes", "tokens", 'token 1: got "yes", want "Yes"'],
    ["3.0000001", "3", "tokens", 'token 1: got "3.0000001", want "3"'],
    ["123456789012345678901234567891", "123456789012345678901234567890", "tokens", /^token 1/],
    ["9007199254740993", "9007199254740992", "lines", /^line 1/],
    ["nan", "1.0", "tokens", /^token 1/],
    ["inf", "1e400", "tokens", /^token 1/],
    ["1.1", "1.2", "lines", /^line 1/],
    ["0x10", "16", "tokens", /^token 1/],
    ["1 2", "1", "tokens", "got 2 tokens, want 1"],
    ["", "0", "lines", 'line 1: got nothing, want "0"'],
  ] as const)("tells %j from %j with checker %s", (actual, expected, checker, difference) => {
    expect(outputDifference(actual, expected, checker, 1e-6)).toMatch(difference);
  });
});

describe("equalValues()", () => {
  const equal = (actual: string, expected: string): boolean =>
    equalValues(decodeValue(actual), decodeValue(expected), 1e-6);

  it.each([
    ['{"$": "tuple", "v": [1, 2]}', "[1, 2]"],
    ["1.0", "1"],
    ["0.30000000000000004", "0.3"],
    ["true", "1"],
    ['{"$": "dict", "v": [[1, 2]]}', '{"1": 2}'],
    ['{"b": 1, "a": [2]}', '{"a": [2], "b": 1}'],
    ['{"$": "set", "v": [1, 2]}', '{"$": "set", "v": [2, 1]}'],
    ['{"$": "float", "v": "inf"}', "1e999"],
    ["null", "null"],
    ["12345678901234567890123", "12345678901234567890123"],
  ])("takes %s for %s", (actual, expected) => expect(equal(actual, expected)).toBe(true));

  it.each([
    ["12345678901234567890123", "12345678901234567890124"],
    ["[1, 2]", "[1, 2, 3]"],
    ["[1, 2]", "[2, 1]"],
    ['{"$": "set", "v": [1, 2]}', "[1, 2]"],
    ["null", "0"],
    ['"1"', "1"],
    ['""', "[]"],
    ['{"$": "float", "v": "nan"}', '{"$": "float", "v": "nan"}'],
    ["{}", "[]"],
    ['{"a": 1}', '{"a": 1, "b": null}'],
    ["1.001", "1"],
  ])("tells %s from %s", (actual, expected) => expect(equal(actual, expected)).toBe(false));

  it("takes every JSON value for itself, read by either way", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value);
        expect(equalValues(decodeValue(text), valueOf(JSON.parse(text)), 0)).toBe(true);
        expect(showValue(decodeValue(text)).length).toBeLessThanOrEqual(81);
      }),
      { numRuns: 200 },
    );
  });
});
