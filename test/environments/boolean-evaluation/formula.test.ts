import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import {
  CONNECTIVES,
  depthOf,
  drawFormula,
  parseFormula,
  textOf,
  valueOf,
} from "../../../environments/boolean-evaluation/formula.js";
import { formulaVerifier } from "../../../environments/boolean-evaluation/verifier.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

describe("drawFormula()", () => {
  it("draws formulas of exactly the depth and the value that are asked for", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 8 }), fc.boolean(), (seed, depth, value) => {
        const formula = drawFormula(new Random(deriveKey(seed)), depth, value, CONNECTIVES);
        expect(depthOf(formula)).toBe(depth);
        expect(valueOf(formula)).toBe(value);
        expect(parseFormula(textOf(formula))).toEqual(formula);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});

describe("valueOf()", () => {
  // JavaScript has the same connectives under other names.
  const asScript = (text: string): boolean =>
    new Function(
      `return ${text.replaceAll("not ", "!").replaceAll("and", "&&").replaceAll("xor", "!==").replaceAll("or", "||")};`,
    )() as boolean; // only constants and connectives of truth values are in it

  it("agrees with the language's own operators", () => {
    for (let seed = 0; seed < 100; seed++) {
      const formula = drawFormula(new Random(deriveKey(seed)), 5, seed % 2 === 0, ["not", "and", "or", "xor"]);
      expect(valueOf(formula)).toBe(asScript(textOf(formula)));
    }
  });

  it.each([
    ["true implies true", true],
    ["true implies false", false],
    ["false implies true", true],
    ["not (false implies false)", false],
  ])("finds that %s is %s", (text, value) => {
    expect(valueOf(parseFormula(text)!)).toBe(value);
  });
});

describe("parseFormula()", () => {
  it.each(["", "maybe", "true and", "(true", "true)", "true and true and true", "true 1", "not not true", "()"])(
    "reads nothing from %j",
    (text) => {
      expect(parseFormula(text)).toBeUndefined();
    },
  );
});

describe("formulaVerifier.verify()", () => {
  it.each([
    ["true", "true", "pass", "equal"],
    ["TRUE", "true", "pass", "equal"],
    ["\\text{False}", "false", "pass", "equal"],
    ["false", "true", "fail", "wrong-answer: got false, want true"],
    ["true or false", "true", "fail", 'unparsable: found "true or false"'],
    ["1", "true", "fail", 'unparsable: found "1"'],
    ["true", "yes", "error", 'unusable-reference: task "t" has "yes"'],
  ])("judges %s against %s as it should when it is boxed", (answer, reference, kind, reason) => {
    const task = { id: "t", domain: "boolean-evaluation", prompt: [], reference, meta: {} };
    const trajectory = makeTrajectory("x", "t", 0, { response: `</think>\\boxed{${answer}}` });
    expect(formulaVerifier.verify(task, trajectory)).toMatchObject({ kind, reason });
  });
});
