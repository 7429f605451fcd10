import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import {
  numbersOf,
  parseExpression,
  rationalText,
  textOf,
  valueOf,
} from "../../../environments/countdown/expression.js";
import { drawProblem } from "../../../environments/countdown/problem.js";
import { countdownVerifier } from "../../../environments/countdown/verifier.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const verify = (answer: string, reference: string) =>
  countdownVerifier.verify(
    { id: "t", domain: "countdown", prompt: [], reference, meta: {} },
    makeTrajectory("x", "t", 0, { response: `</think>\\boxed{${answer}}` }),
  );

describe("countdownVerifier.verify()", () => {
  it.each([
    ["7*(5+3)", "(3+5)*7", "pass", "equal"],
    ["7*5+7*3", "(3+5)*7", "fail", "wrong-numbers: used 3 5 7 7, given 3 5 7"],
    ["56", "(3+5)*7", "fail", "wrong-numbers: used 56, given 3 5 7"],
    ["35+7", "(3+5)*7", "fail", "wrong-numbers: used 7 35, given 3 5 7"],
    ["(3+5)*7 = 56", "(3+5)*7", "pass", "equal"],
    ["(3+5)*7 = 57", "(3+5)*7", "fail", 'unparsable: found "(3+5)*7 = 57"'],
    ["3+5*7", "(3+5)*7", "fail", "wrong-value: got 38, want 56"],
    ["7\\times\\left(5+3\\right)", "(3+5)*7", "pass", "equal"],
    ["(3+5)\\cdot 7", "(3+5)*7", "pass", "equal"],
    ["8/(3-8/3)", "8/(3-(8/3))", "pass", "equal"],
    ["\\frac{8}{3-\\frac{8}{3}}", "8/(3-(8/3))", "pass", "equal"],
    ["8÷3−8/3", "8/(3-(8/3))", "fail", "wrong-value: got 0, want 24"],
    ["8/(8-3)/3", "8/3*8/3", "fail", "wrong-value: got 8/15, want 64/9"],
    ["7-5-2", "7-(5-2)", "fail", "wrong-value: got 0, want 4"],
    ["7/(5-5)", "7*(5/5)", "fail", "division-by-zero: in 7/(5-5)"],
    ["-3+5", "5-3", "fail", 'unparsable: found "-3+5"'],
    ["3(5)", "5*3", "fail", 'unparsable: found "3(5)"'],
    ["3^5", "5*3", "fail", 'unparsable: found "3^5"'],
    ["1", "x", "error", 'unusable-reference: task "t" has "x"'],
    ["1", "1/(2-2)", "error", 'unusable-reference: task "t" has "1/(2-2)"'],
  ])("judges %s against %s as it should when it is boxed", (answer, reference, kind, reason) => {
    expect(verify(answer, reference)).toMatchObject({ kind, reason });
  });
});

describe("drawProblem()", () => {
  it("draws problems that their solution solves with as many operations as the difficulty says", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 2, max: 99 }),
        (seed, operations, top) => {
          const { numbers, target, solution } = drawProblem(new Random(deriveKey(seed)), operations, top);
          expect(numbers).toHaveLength(operations + 1);
          expect(textOf(solution).match(/[-+*/]/g)).toHaveLength(operations);
          expect(numbersOf(solution).map(Number).toSorted()).toEqual(numbers.toSorted());
          expect(rationalText(valueOf(solution)!)).toBe(String(target));
          expect(target).toBeGreaterThan(0);
          expect(parseExpression(textOf(solution))).toEqual(solution);
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });
});
