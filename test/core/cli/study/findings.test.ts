import { describe, expect, test } from "vitest";
import { fits, momentsOf } from "../../../../core/cli/study/answers.js";
import { verdictOf } from "../../../../core/cli/study/findings.js";
import { averageCurve } from "../../../../core/cli/study/study-summary.js";
import type { DatedEvaluation } from "../../../../core/src/run-state.js";
import type { Question } from "../../../../core/src/config/study-config.js";

function evaluationAt(step: number, trainTokens: number): DatedEvaluation {
  const evaluation = { mode: "default", version: step, n: 1, samplesPerTask: 1, accuracy: 0, ci95: [0, 0] } as const;
  const rest = {
    tokensPerAnswer: 0,
    thinkRate: 0,
    truncated: 0,
    ungradable: 0,
    passAtK: 0,
    mixedGroups: 0,
    seconds: 0,
  };
  return { step, trainTokens, evaluation: { ...evaluation, ...rest, byDifficulty: [] } };
}

describe("momentsOf()", () => {
  const evaluations = [evaluationAt(0, 0), evaluationAt(10, 100), evaluationAt(20, 400)];

  test("takes the evaluation nearest to a share of the tokens", () => {
    expect([0, 0.2, 0.7, 1].map((at) => momentsOf(evaluations, at)[0]?.step)).toEqual([0, 10, 20, 20]);
    expect(momentsOf([], 1)).toEqual([]);
  });

  test("weighs by trapezoids over tokens when the average is asked for", () => {
    // Half of [0, 100], half of [0, 400], half of [100, 400], over 400
    expect(momentsOf(evaluations, "average").map(({ weight }) => weight)).toEqual([0.125, 0.5, 0.375]);
    expect(momentsOf([evaluationAt(0, 0)], "average")).toEqual([{ step: 0, weight: 1 }]);
  });
});

describe("fits()", () => {
  test("compares facts with values and ranges", () => {
    const facts = { domain: "code", difficulty: 3 };
    expect(fits(facts, undefined)).toBe(true);
    expect(fits(facts, { domain: "code", difficulty: { min: 3 } })).toBe(true);
    expect(fits(facts, { difficulty: { min: 1, max: 2 } })).toBe(false);
    expect(fits(facts, { difficulty: 4 })).toBe(false);
    expect(fits(facts, { tier: { min: 0 } })).toBe(false);
  });
});

describe("verdictOf()", () => {
  const question = { claim: "", expects: "", measure: "accuracy", of: { arm: "a", at: 1 }, as: "difference" } as const;
  const above: Question = { ...question, otherwise: "", above: 0 };
  const below: Question = { ...question, otherwise: "", below: 0.7 };
  test.each([
    [above, 0.1, 0.2, "reproduced"],
    [above, -0.1, 0.2, "open"],
    [above, -0.2, -0.1, "contrary"],
    [below, 0.1, 0.2, "reproduced"],
    [below, 0.1, 0.8, "open"],
    [below, 0.8, 0.9, "contrary"],
    [above, NaN, NaN, "open"],
  ])("is where the whole interval lies (%#)", (asked, low, high, verdict) => {
    expect(verdictOf(asked, { low, high })).toBe(verdict);
  });
});

describe("averageCurve()", () => {
  test("averages seeds in equal parts of the tokens, whatever steps each took", () => {
    const one = [
      { trainTokens: 20, value: 1 },
      { trainTokens: 40, value: 3 },
      { trainTokens: 100, value: 5 },
    ];
    const two = [{ trainTokens: 50, value: 4 }];
    expect(averageCurve([one, two], 2)).toEqual([
      { trainTokens: 25, value: 3 },
      { trainTokens: 75, value: 5 },
    ]);
    expect(averageCurve([], 2)).toEqual([]);
  });
});
