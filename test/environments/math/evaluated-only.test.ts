import { describe, expect, test } from "vitest";
import { evaluatedOnly } from "../../../environments/math/evaluated-only.js";
import { verifyMath } from "../../../environments/math/verify-math.js";

const judged = (gold: string, answer: string) =>
  evaluatedOnly(verifyMath(gold, { assistantPrefix: "<think>\n", response: `</think>\n\n\\boxed{${answer}}` }));

describe("evaluatedOnly()", () => {
  test.each([
    ["30", "30"],
    ["-4", "-4"],
    ["1200", "1,200"],
    ["0.5", "0.5"],
  ])("passes %s answered as %s", (gold, answer) => {
    expect(judged(gold, answer)).toMatchObject({ kind: "pass", score: 1 });
  });

  test.each([
    ["30", "15*2"],
    ["24", "48/2"],
    ["24", "\\frac{48}{2}"],
    ["24", "24+0"],
    ["24", "(24)"],
  ])("fails %s answered as %s, which is right but not evaluated", (gold, answer) => {
    expect(judged(gold, answer)).toMatchObject({ kind: "fail", score: 0, reason: `not-evaluated: got ${answer}` });
  });

  test("leaves a wrong answer's reason as it is", () => {
    expect(judged("30", "31").reason).toBe("wrong-answer: got 31, want 30");
  });
});
