import { compareScalars } from "./compare-scalar.js";
import { substituted, symbolsOf, type Expression } from "./expression.js";
import { rational } from "./rational.js";
import type { WorkBudget } from "./work-budget.js";

const number = (value: number): Expression => ({ kind: "number", value: rational(BigInt(value)) });

/**
 * Whether two sides, each understood as "= 0", describe the same curve: each is linear in some variable, and solving it
 * for that variable makes the other 0 as well. So y = eˣ is x = ln y, and xy = 1 is y = 1/x.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function isSameCurve(gold: Expression, answer: Expression, budget: WorkBudget): boolean {
  const names = [...symbolsOf(gold)].sort();
  if (names.length < 2 || names.length > 4 || names.join() !== [...symbolsOf(answer)].sort().join()) return false;
  return impliesZero(gold, answer, names, budget) && impliesZero(answer, gold, names, budget);
}

/** Whether every point where `given` is 0 makes `other` 0, as far as solving for one variable shows. */
function impliesZero(given: Expression, other: Expression, names: readonly string[], budget: WorkBudget): boolean {
  return names.some((name) => {
    const solution = solvedFor(given, name, budget);
    return solution !== undefined && compareScalars(substituted(other, name, solution), number(0), budget) === "equal";
  });
}

/** −b / a of a · name + b; undefined where it is not linear, or a can vanish where b does. */
function solvedFor(side: Expression, name: string, budget: WorkBudget): Expression | undefined {
  const at = (value: Expression) => substituted(side, name, value);
  const b = at(number(0));
  const a = difference(at(number(1)), b);
  const linear: Expression = {
    kind: "sum",
    terms: [{ kind: "product", factors: [{ kind: "symbol", name: "t" }, a] }, b],
  };
  if (name === "t" || symbolsOf(side).has("t")) return undefined;
  if (compareScalars(at({ kind: "symbol", name: "t" }), linear, budget) !== "equal") return undefined;
  if (compareScalars(a, number(0), budget) !== "different") return undefined;
  for (const factor of symbolsOf(a)) {
    // Where the factor vanishes b must not: x y = x² holds for all of x = 0, y = x does not.
    if (compareScalars(substituted(b, factor, number(0)), number(0), budget) !== "different") return undefined;
  }
  return { kind: "quotient", over: { kind: "product", factors: [number(-1), b] }, under: a };
}

function difference(left: Expression, right: Expression): Expression {
  return { kind: "sum", terms: [left, { kind: "product", factors: [number(-1), right] }] };
}
