import { exactValue } from "./exact-value.js";
import type { Expression } from "./expression.js";
import { add, divide, integerOf, isEqual, multiply, rational, type Rational } from "./rational.js";
import { SIZE_LIMITS, type WorkBudget } from "./work-budget.js";

/** The symbol that the scanner makes of dots. */
export const DOTS = "…";

/**
 * Items with dots among them in one form: written out where the end is a number that the rule reaches, "2, 4, …, 10" as
 * all five, else with as few terms before the dots as show the rule. What has no rule, or no dots, stays as it is.
 *
 * The rule is an equal step between two or more terms, or else an equal factor between three or more.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function withoutDots(items: readonly Expression[], budget: WorkBudget): readonly Expression[] {
  const at = items.findIndex(isDots);
  if (at < 2 || items.length > at + 2 || items.slice(at + 1).some(isDots)) return items;
  const terms = items.slice(0, at).map((item) => exactValue(item, budget));
  const known = terms.flatMap((term) => (term === undefined ? [] : [term]));
  const rule = known.length === at ? ruleOf(known) : undefined;
  const [first] = known;
  if (rule === undefined || first === undefined) return items;
  const last = items[at + 1];
  const end = last && exactValue(last, budget);
  if (end === undefined) return [...items.slice(0, rule.shown), ...items.slice(at)];
  const all: Rational[] = [first];
  for (let term = first; !isEqual(term, end); all.push(term)) {
    if (all.length >= SIZE_LIMITS.items) return items;
    term = rule.next(term);
    budget.spend(4);
  }
  return all.length < at ? items : all.map((value) => ({ kind: "number", value }));
}

function isDots(node: Expression): boolean {
  return node.kind === "symbol" && node.name === DOTS;
}

interface Rule {
  /** Terms that show the rule. */
  readonly shown: number;
  readonly next: (term: Rational) => Rational;
}

function ruleOf(terms: readonly Rational[]): Rule | undefined {
  const steps = terms.slice(1).map((term, i) => add(term, multiply(terms[i] ?? term, rational(-1n))));
  const [step] = steps;
  if (step !== undefined && step.numerator !== 0n && steps.every((one) => isEqual(one, step)))
    return { shown: 2, next: (term) => lowest(add(term, step)) };
  const factors = terms.slice(1).map((term, i) => divide(term, terms[i] ?? term));
  const [factor] = factors;
  const isGeometric =
    factors.length > 1 && factor !== undefined && factors.every((one) => one !== undefined && isEqual(one, factor));
  return isGeometric ? { shown: 3, next: (term) => lowest(multiply(term, factor)) } : undefined;
}

/** Whole numbers without a denominator, so that terms do not grow. */
function lowest(value: Rational): Rational {
  const whole = integerOf(value);
  return whole === undefined ? value : rational(whole);
}
