import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Expression } from "../../../environments/math/expression.js";
import { parseExpression } from "../../../environments/math/parse-expression.js";
import { printExpression } from "../../../environments/math/print-expression.js";
import { rational } from "../../../environments/math/rational.js";
import { verifyAnswer } from "../../../environments/math/verify-math.js";
import { WorkBudget } from "../../../environments/math/work-budget.js";

/** Formulas of ordinary size in LaTeX, with variables; denominators are never 0 for positive ones. */
const formula: fc.Arbitrary<string> = fc.letrec<{ formula: string }>((tie) => ({
  formula: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.integer({ min: 1, max: 40 }).map(String),
    fc.constantFrom("x", "y", "n", "\\pi", "\\sqrt{2}", "0.25"),
    fc
      .tuple(tie("formula"), fc.constantFrom("+", "-", "\\cdot "), tie("formula"))
      .map(([a, o, b]) => `(${a})${o}(${b})`),
    fc.tuple(tie("formula"), fc.integer({ min: 1, max: 9 })).map(([a, b]) => `\\frac{${a}}{${b}}`),
    fc.tuple(tie("formula"), fc.integer({ min: 2, max: 3 })).map(([a, n]) => `(${a})^{${n}}`),
  ),
})).formula;

/** Ways to write the same thing in other words. */
const REWRITINGS: readonly ((text: string) => string)[] = [
  (text) => `(${text})+0`,
  (text) => `1\\cdot(${text})`,
  (text) => `\\frac{7(${text})}{7}`,
  (text) => `\\left(${text}\\right)`,
  (text) => `-(-(${text}))`,
  (text) => `(${text})+z-z`,
  (text) => `\\frac{(${text})(x^2+1)}{x^2+1}`,
  (text) => text.replaceAll("\\frac", "\\dfrac").replaceAll("\\cdot ", "*"),
  (text) => text.replaceAll("0.25", "\\frac14"),
  (text) => text.replaceAll("(", "\\left( ").replaceAll(")", "\\right) ").replaceAll("+", " + "),
  (text) => printExpression(read(text)),
];

function read(text: string): Expression {
  return parseExpression(text, new WorkBudget())[0] ?? { kind: "number", value: rational(0n) };
}

function isSame(gold: string, answer: string): boolean {
  const { kind, reason } = verifyAnswer(gold, answer);
  expect(reason).not.toMatch(/^(?:unusable-reference|grader-failed|budget-exceeded)/);
  return kind === "pass";
}

describe("verifyAnswer()", () => {
  it("keeps an answer right when it is written in other ways", () => {
    fc.assert(
      fc.property(formula, fc.constantFrom(...REWRITINGS), fc.constantFrom(...REWRITINGS), (text, first, second) => {
        expect(isSame(text, second(first(text)))).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("refuses an answer that is off by anything", () => {
    fc.assert(
      fc.property(formula, fc.constantFrom("+1", "-\\frac{1}{10^{12}}", "+x^5", "+10^{-40}"), (text, error) => {
        expect(isSame(text, `${text}${error}`)).toBe(false);
        expect(isSame(`${text}${error}`, text)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("is symmetric for formulas, sets, tuples and intervals", () => {
    const items = fc.array(formula, { minLength: 2, maxLength: 4 });
    const shape = fc.oneof(
      formula,
      items.map((list) => `\\{${list.join(",")}\\}`),
      items.map((list) => `(${list.join(",")})`),
      fc
        .tuple(fc.integer({ min: -9, max: 0 }), fc.integer({ min: 1, max: 9 }), fc.constantFrom("[]", "()", "[)", "(]"))
        .map(([low, high, brackets]) => `${brackets.charAt(0)}${low},${high}${brackets.charAt(1)}`),
    );
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(isSame(a, b)).toBe(isSame(b, a));
      }),
      { numRuns: 400 },
    );
  });

  it("ignores the order of a list and keeps that of a tuple", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 2, maxLength: 6 }), (numbers) => {
        const turned = [...numbers.slice(1), numbers[0]];
        expect(isSame(numbers.join(", "), turned.join(", "))).toBe(true);
        expect(isSame(`\\{${numbers.join(",")}\\}`, `\\{${turned.join(",")}\\}`)).toBe(true);
        expect(isSame(`(${numbers.join(",")})`, `(${turned.join(",")})`)).toBe(false);
      }),
      { numRuns: 100 },
    );
  });
});

describe("printExpression()", () => {
  it("writes what the parser reads back as something equal", () => {
    for (const text of [
      "x^{-2}",
      "(a+b)(a-b)/(2c)",
      "\\{1, 2\\} \\cup [3, 4)",
      "x \\equiv 3 \\pmod 7",
      "\\sum_{k=1}^{n} k^2",
      "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
      "1 \\pm \\sqrt{3}",
      "5\\text{ cm}^2",
      "\\log_2 (x+1)",
      "3 : 4",
      "-x < y \\le 2",
    ]) {
      expect([text, verifyAnswer(text, printExpression(read(text))).kind]).toEqual([text, "pass"]);
    }
  });
});
