import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MATH_VERIFIER, verifyMath, type MathOptions } from "../../../environments/math/verify-math.js";

const ORDINARY = "<think>\n";
const ELLIPSIS = "<think>\n...\n";

function check(gold: string | readonly string[], response: string, assistantPrefix = "", options?: MathOptions) {
  return verifyMath(gold, { assistantPrefix, response }, options);
}

function reasonOf(gold: string, answer: string): string {
  return check(gold, `\\boxed{${answer}}`).reason.split(":")[0] ?? "";
}

describe("verifyMath()", () => {
  it.each([
    ["4", "<think>\\boxed{3}</think> so \\boxed{4}", 1],
    ["3", "<think>\\boxed{3}</think> so \\boxed{4}", 0],
    ["4", "<think>\\boxed{4}", 0],
    ["0.5", "\\boxed{\\frac{1}{2}}", 1],
    ["\\sqrt{8}", "\\boxed{2\\sqrt{2}}", 1],
    ["4", "The answer is 4.", 0],
  ])("scores as check A5 says: truth %s, response %j", (gold, response, score) => {
    expect(check(gold, response).score).toBe(score);
  });

  it("accepts a box without a closing tag only where the prompt closed the think block (check T4)", () => {
    const response = "First this, then that. \\boxed{7}";
    expect(check("7", response, "<think>\n\n</think>\n\n").kind).toBe("pass");
    expect(check("7", response, ORDINARY)).toMatchObject({ kind: "fail", reason: "no-think-close" });
    // Qwen3's ordinary prompt leaves the opening tag to the policy.
    const strict: MathOptions = { extraction: { mode: "boxed", thinking: "required" } };
    expect(check("7", response, "", strict)).toMatchObject({ kind: "fail", reason: "no-think-close" });
    expect(check("7", response, "<think>\n\n</think>\n\n", strict).kind).toBe("pass");
  });

  it.each([
    ["</think>\n\nIt is \\boxed{4}.", "pass"],
    ["</think>\n\nIt is \\boxed{5}.", "fail"],
    ["Okay ... </think>\n\n\\boxed{4}", "pass"],
    ["Okay ... </think>\n\n\\boxed{5}", "fail"],
    ["Okay ... \\boxed{4}", "fail"],
    ["</think>\n\nno box", "fail"],
    ["</think>\n\\boxed{4}", "pass"],
  ])("judges %j as check AT2 says", (response, kind) => {
    expect(check("4", response, ELLIPSIS).kind).toBe(kind);
  });

  it("says who judged, what the answer was and where it stood", () => {
    expect(check("4", "so \\boxed{5}")).toEqual({
      kind: "fail",
      score: 0,
      reason: "wrong-answer: got 5, want 4",
      parts: { answer: "5", from: "box" },
      ...MATH_VERIFIER,
      ms: 0,
    });
  });

  it("measures time by the clock that it is given", () => {
    let time = 100;
    expect(check("4", "\\boxed{4}", "", { now: () => (time += 5) }).ms).toBe(5);
  });

  it("passes when one of several references matches", () => {
    expect(check(["3", "\\frac{1}{2}"], "\\boxed{0.5}").kind).toBe("pass");
    expect(check(["3", "4"], "\\boxed{5}").reason).toBe("wrong-answer: got 5, want 3 or 4");
  });

  it("blames the data, not the policy, when a reference cannot be used", () => {
    const options = { taskId: "set/17" };
    expect(check("", "\\boxed{1}", "", options)).toMatchObject({
      kind: "error",
      reason: 'unusable-reference: task "set/17" has "", which is empty',
    });
    const verdict = check("\\frac{1}{", "\\boxed{1}", "", options);
    expect(verdict).toMatchObject({ kind: "error", reason: expect.stringContaining('task "set/17"') });
    expect(verdict.score).toBeUndefined();
    expect(check([], "\\boxed{1}", "", options)).toMatchObject({
      kind: "error",
      reason: 'no-reference: task "set/17" has no reference answer',
    });
  });

  it.each([
    ["5", "5\\frac{", "unbalanced-braces"],
    ["5", "5\\frac", "unparsable"],
    ["5", "\\int x", "unparsable"],
    ["5", "(5", "unparsable"],
    ["5", "\u0000", "unparsable"],
    ["5", "6", "wrong-answer"],
    ["n!", "\\sum", "unparsable"],
    ["\\infty", "-\\infty", "wrong-answer"],
    ["\\sin 1", "\\frac{1}{\\sqrt{2}-\\sqrt{2}}", "wrong-answer"],
    ["\\frac{1}{\\sqrt{2}-\\sqrt{2}}", "\\frac{2}{\\sqrt{2}-\\sqrt{2}}", "undecided"],
  ])("names the reason: truth %s, answer %j", (gold, answer, reason) => {
    expect(reasonOf(gold, answer)).toBe(reason);
  });

  it.each([
    ["a tower of powers", "9^{9^{9^9}}"],
    ["a factorial of a factorial", "((10!)!)!"],
    ["a hundred thousand open braces", "{".repeat(100_000) + "}".repeat(100_000)],
    ["brackets nested too deeply", `${"(".repeat(1500)}1${")".repeat(1500)}`],
    ["ten million digits", "7".repeat(10_000_000)],
    [
      "a sum of thousands of terms",
      Array.from({ length: 900 }, (_, i) => `1/${i + 2}`)
        .join("+")
        .slice(0, 4090),
    ],
    ["a power of a large sum", `(${Array.from({ length: 200 }, (_, i) => `x_{${i}}`).join("+")})^{99999999999}`],
    ["nested exponentials", "e^{e^{e^{e^{e^{x}}}}}"],
    ["a huge angle", "\\sin(10^{100})"],
    ["a list of thousands", Array.from({ length: 1500 }, (_, i) => i % 10).join(", ")],
    ["a great many roots", "\\sqrt{".repeat(90) + "2" + "}".repeat(90)],
    ["digits with commas everywhere", "1,111".repeat(800)],
    ["repeated signs", `${"-".repeat(4000)}1`],
    ["trigonometry upon trigonometry", "\\sin(".repeat(60) + "x" + ")".repeat(60)],
  ])("refuses %s within its budget", (_, answer) => {
    const verdict = check("\\sin x", `\\boxed{${answer}}`);
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(/^(?:budget-exceeded|unparsable|wrong-answer|undecided)/);
  });

  it("never throws and never blames the grader, whatever the response holds", () => {
    const pieces = fc.constantFrom(
      "\\frac",
      "{",
      "}",
      "(",
      ")",
      "[",
      "]",
      "\\{",
      "\\}",
      "^",
      "_",
      "+",
      "-",
      "*",
      "/",
      "=",
      "<",
      ",",
      "|",
      "!",
      "%",
      "1",
      "23",
      ".5",
      "x",
      "pi",
      "e",
      "i",
      "\\sqrt",
      "\\sin",
      "\\log",
      "\\text{",
      "\\text{cm}",
      "\\pm",
      "\\cup",
      "\\infty",
      "\\begin{pmatrix}",
      "\\end{pmatrix}",
      "&",
      "\\\\",
      "\\left",
      "\\right",
      "^\\circ",
      "\\overline{3}",
      "0.",
      "1,000",
      ":",
      ";",
      "\\in",
      "\\binom",
      " ",
      "°",
      "√",
      "½",
      "²",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 24 }), fc.array(pieces, { maxLength: 12 }), (answer, gold) => {
        const verdict = check(gold.join(""), `\\boxed ${answer.join("")}`);
        expect(verdict.reason).not.toMatch(/^grader-failed/);
        const plain = check("5", answer.join(""), ORDINARY, {
          extraction: { mode: "boxed-or-phrase", thinking: "by-tags" },
        });
        expect(plain.kind).toBe("fail");
        const boxed = check("x+1", `\\boxed{${answer.join("")}}`);
        expect(["pass", "fail"]).toContain(boxed.kind);
      }),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        expect(["pass", "fail"]).toContain(check("x+1", `\\boxed{${text}}`).kind);
      }),
      { numRuns: 1000 },
    );
  });
});
