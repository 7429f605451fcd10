import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TroupeError } from "../../../core/src/error-catalogue.js";
import { isSameAnswer, type Comparison } from "../../../environments/math/compare.js";
import { parseExpression } from "../../../environments/math/parse-expression.js";
import { WorkBudget } from "../../../environments/math/work-budget.js";

/** Skips what costs more than the budget, sines of huge numbers for example, or cannot be decided for lost precision. */
function same(gold: string, answer: string): boolean {
  const comparison: Comparison = { budget: new WorkBudget(), percent: "unit", isUndecided: false };
  try {
    const [goldReadings = [], answerReadings = []] = [gold, answer].map((text) =>
      parseExpression(text, new WorkBudget()),
    );
    const isSame = goldReadings.some((g) => answerReadings.some((a) => isSameAnswer(g, a, comparison)));
    fc.pre(isSame || !comparison.isUndecided);
    return isSame;
  } catch (error) {
    fc.pre(!(error instanceof TroupeError && error.code === "MATH_WORK_EXCEEDED"));
    throw error;
  }
}

/** A formula in x, y and numbers, as LaTeX; defined for all positive x and y. */
const formula = fc.letrec<{ formula: string }>((tie) => ({
  formula: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.integer({ min: 1, max: 40 }).map(String),
    fc.constantFrom("x", "y", "\\pi", "0.5", "2.25"),
    fc.tuple(tie("formula"), tie("formula")).map(([a, b]) => `(${a})+(${b})`),
    fc.tuple(tie("formula"), tie("formula")).map(([a, b]) => `(${a})\\cdot(${b})`),
    fc.tuple(tie("formula"), fc.integer({ min: 1, max: 9 })).map(([a, n]) => `\\frac{${a}}{${n}}`),
    fc.tuple(tie("formula"), fc.integer({ min: 2, max: 4 })).map(([a, n]) => `(${a})^{${n}}`),
    tie("formula").map((a) => `\\sqrt{${a}}`),
    tie("formula").map((a) => `\\sin(${a})`),
  ),
})).formula;

describe("isSameAnswer()", () => {
  it("keeps equality when a formula is written another way", () => {
    fc.assert(
      fc.property(formula, formula, fc.integer({ min: 2, max: 9 }), (f, g, n) => {
        expect(same(f, f)).toBe(true);
        expect(same(`(${f})+(${g})`, `(${g})+(${f})`)).toBe(true);
        expect(same(`(${f})(${g})`, `(${g})\\times(${f})`)).toBe(true);
        expect(same(f, `\\frac{${n}(${f})}{${n}}`)).toBe(true);
        expect(same(f, `(${f})+(${g})-(${g})`)).toBe(true);
        expect(same(`${n}(${f})`, Array.from({ length: n }, () => `(${f})`).join("+"))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("is lost when anything is added or the sign is changed", () => {
    fc.assert(
      fc.property(formula, fc.integer({ min: 1, max: 1_000_000 }), (f, n) => {
        expect(same(f, `(${f})+\\frac{1}{${n}}`)).toBe(false);
        expect(same(`(${f})^{2}+1`, `-(${f})^{2}-1`)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("does not depend on which side is the reference, for values", () => {
    fc.assert(
      fc.property(formula, formula, (f, g) => {
        expect(same(f, g)).toBe(same(g, f));
      }),
      { numRuns: 300 },
    );
  });

  it("tells exact fractions apart that a double cannot", () => {
    const integer = fc.bigInt({ min: 10n ** 20n, max: 10n ** 30n });
    fc.assert(
      fc.property(integer, integer, (a, b) => {
        expect(same(`\\frac{${a}}{${b}}`, `\\frac{${2n * a}}{${2n * b}}`)).toBe(true);
        expect(same(`\\frac{${a}}{${b}}`, `\\frac{${a + 1n}}{${b}}`)).toBe(false);
        expect(same(`\\sqrt{${a}}`, `\\sqrt{${a + 1n}}`)).toBe(false);
        expect(same(`\\sqrt{${a * a + 1n}}`, `${a}`)).toBe(false);
      }),
    );
  });

  it("ignores the order of lists and sets and keeps that of tuples", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { minLength: 2, maxLength: 8 }), (items) => {
        const turned = [...items.slice(1), ...items.slice(0, 1)];
        expect(same(items.join(", "), turned.join(", "))).toBe(true);
        expect(same(`\\{${items.join(", ")}\\}`, `\\{${turned.join(", ")}\\}`)).toBe(true);
        expect(same(`(${items.join(", ")})`, `(${turned.join(", ")})`)).toBe(false);
        expect(same(items.join(", "), items.slice(1).join(", "))).toBe(false);
      }),
    );
  });

  it("reads every integer in all its spellings", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (n) => {
        const grouped = n.toLocaleString("en-US");
        for (const spelling of [
          grouped,
          grouped.replaceAll(",", "{,}"),
          grouped.replaceAll(",", "\\,"),
          `${n}.0`,
          `+${n}`,
          `${n} \\text{ apples}`,
        ]) {
          expect(same(String(n), spelling), spelling).toBe(true);
        }
        expect(same(String(n), String(n + 1))).toBe(false);
        expect(same(String(n), `-${n}`)).toBe(false);
      }),
    );
  });
});
