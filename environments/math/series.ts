import { someNode, substituted, type Expression } from "./expression.js";
import { integerOf, rational, type Rational } from "./rational.js";
import type { WorkBudget } from "./work-budget.js";

/** A sum, product, integral or limit over one variable, which its body calls by a name that nothing else has. */
export type Series = Extract<Expression, { readonly kind: "series" }>;

/** Terms that are written out at most. */
const MAX_TERMS = 2000n;

/** What works out a bound: `exactValue`, which itself needs this file. */
type ValueOf = (node: Expression, budget: WorkBudget) => Rational | undefined;

/** A sum or product with its terms written out; undefined where the bounds are no numbers, or lie too far apart. */
export function expandSeries(node: Series, budget: WorkBudget, valueOf: ValueOf): Expression | undefined {
  if ((node.operator !== "sum" && node.operator !== "product") || node.from === undefined || node.to === undefined)
    return undefined;
  const [from, to] = [valueOf(node.from, budget), valueOf(node.to, budget)];
  const [first, last] = [from && integerOf(from), to && integerOf(to)];
  if (first === undefined || last === undefined || last - first >= MAX_TERMS) return undefined;
  const terms: Expression[] = [];
  for (let k = first; k <= last; k++) {
    budget.spend(8);
    terms.push(substituted(node.body, node.variable, { kind: "number", value: rational(k) }));
  }
  return node.operator === "sum" ? { kind: "sum", terms } : { kind: "product", factors: terms };
}

/** Whether an expression has a sum, product, integral or limit in it. */
export function hasSeries(node: Expression): boolean {
  return someNode(node, (one) => one.kind === "series");
}
