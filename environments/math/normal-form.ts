import { mapChildren, someNode, type Expression, type RelationOperator } from "./expression.js";
import { rational } from "./rational.js";

/** One or two expressions in place of each that holds ±: the reading with the upper signs, then the lower ones. */
export function expandSigns(node: Expression): readonly Expression[] {
  if (node.kind === "list" || node.kind === "set") {
    return [{ ...node, items: node.items.flatMap(expandSigns) }];
  }
  if (!someNode(node, ({ kind }) => kind === "plus-minus")) return [node];
  return [withSigns(node, 1), withSigns(node, -1)];
}

function withSigns(node: Expression, side: 1 | -1): Expression {
  if (node.kind !== "plus-minus") return mapChildren(node, (child) => withSigns(child, side));
  const term = withSigns(node.term, side);
  return node.upperSign === side ? term : negated(term);
}

function negated(node: Expression): Expression {
  return { kind: "product", factors: [{ kind: "number", value: rational(-1n) }, node] };
}

/** What an answer calls its value: x, (x, y), f(x), AB, |AB|, or words. */
export function isName(node: Expression): boolean {
  if (node.kind === "symbol" || node.kind === "text") return true;
  if (node.kind === "tuple") return node.items.every(({ kind }) => kind === "symbol");
  if (node.kind === "call") return node.name === "abs" && node.inputs.every(isName);
  if (node.kind !== "product" || node.factors.length > 4) return false;
  const [first, ...rest] = node.factors;
  return first?.kind === "symbol" && rest.every(({ kind }) => ["symbol", "constant", "number", "tuple"].includes(kind));
}

/** A name that stands for its value in a reference too: one variable, words, or a function's usual letter and input. */
function isPlainName(node: Expression): boolean {
  if (node.kind === "symbol" || node.kind === "text" || node.kind === "tuple") return isName(node);
  const [first, second] = node.kind === "product" && node.factors.length === 2 ? node.factors : [];
  return (
    first?.kind === "symbol" &&
    /^[fghpqFGHPQ]'*$/.test(first.name) &&
    second !== undefined &&
    ["symbol", "number"].includes(second.kind)
  );
}

/**
 * The value in "x = 5", "x = 2 + 3 = 5", "5 = x", "x ≈ 5", "x ∈ {5}"; undefined where a relation is no naming.
 * A reference must begin with a plain name, an answer may also call its value by letters such as AB.
 */
export function namedValue(node: Expression, isReference: boolean): Expression | undefined {
  if (node.kind !== "relation") return undefined;
  const isNaming = isReference ? isPlainName : isName;
  const { sides, operators } = node;
  const [first, second] = sides;
  if (first === undefined || second === undefined) return undefined;
  if (operators.length === 1 && operators[0] === "∈") return isNaming(first) ? second : undefined;
  if (!operators.every((operator) => operator === "=" || operator === "≈")) return undefined;
  if (isNaming(first)) {
    // What follows an ≈ only rounds what stands before it.
    const cut = operators.indexOf("≈", 1);
    return sides[cut < 0 ? sides.length - 1 : cut];
  }
  return sides.length === 2 && isNaming(second) ? first : undefined;
}

/** "x = 1, x = 2" and "x = 1, 2" as a list of values, if every name in it is the same one. */
export function namedList(
  items: readonly Expression[],
  isReference: boolean,
  keyOf: (node: Expression) => string,
): readonly Expression[] | undefined {
  const names = new Set<string>();
  const values: Expression[] = [];
  for (const item of items) {
    const value = namedValue(item, isReference);
    if (value !== undefined && item.kind === "relation" && item.sides[0] !== undefined) names.add(keyOf(item.sides[0]));
    if (item.kind === "relation" && value === undefined) return undefined;
    values.push(value ?? item);
  }
  return names.size === 1 && items[0]?.kind === "relation" ? values : undefined;
}

const FLIPPED: Readonly<Record<RelationOperator, RelationOperator>> = {
  "=": "=",
  "≠": "≠",
  "<": ">",
  ">": "<",
  "≤": "≥",
  "≥": "≤",
  "≈": "≈",
  "∈": "∈",
};

/** Two sides with the relation read from left to right as one of = ≠ < ≤; undefined for chains and for ≈ and ∈. */
export function orientRelation(
  node: Expression,
): { readonly left: Expression; readonly operator: "=" | "≠" | "<" | "≤"; readonly right: Expression } | undefined {
  if (node.kind !== "relation" || node.sides.length !== 2) return undefined;
  const [first, second] = node.sides;
  const [written] = node.operators;
  if (first === undefined || second === undefined || written === undefined) return undefined;
  const isFlipped = written === ">" || written === "≥";
  const operator = isFlipped ? FLIPPED[written] : written;
  if (operator !== "=" && operator !== "≠" && operator !== "<" && operator !== "≤") return undefined;
  return isFlipped ? { left: second, operator, right: first } : { left: first, operator, right: second };
}

/** "x > 3", "1 ≤ x < 2", "|x| < 2" and "x ≠ 2" as the variable and the set it lies in. */
export function intervalOf(node: Expression): { readonly variable: string; readonly interval: Expression } | undefined {
  if (node.kind !== "relation" || node.sides.length > 3) return undefined;
  if (node.sides.length === 2) return exclusionOf(node) ?? distanceOf(node) ?? plainIntervalOf(node);
  return plainIntervalOf(node);
}

type Relation = Extract<Expression, { readonly kind: "relation" }>;
type Region = { readonly variable: string; readonly interval: Expression };

const INFINITY: Expression = { kind: "constant", name: "infinity" };

/** "x ≠ 2" as all but 2. */
function exclusionOf({ sides, operators }: Relation): Region | undefined {
  const [variable, value] = sides;
  if (operators[0] !== "≠" || variable?.kind !== "symbol" || value === undefined) return undefined;
  const reals: Expression = { kind: "tuple", open: "(", close: ")", items: [negated(INFINITY), INFINITY] };
  return {
    variable: variable.name,
    interval: { kind: "difference", from: reals, without: { kind: "set", items: [value] } },
  };
}

/** "|x| < 2" as the numbers between, and "|x| > 2" as those beyond. */
function distanceOf(node: Relation): Region | undefined {
  const oriented = orientRelation(node);
  if (oriented === undefined || oriented.operator === "=" || oriented.operator === "≠") return undefined;
  const { left, right, operator } = oriented;
  const isInside = left.kind === "call";
  const [distance, radius] = isInside ? [left, right] : [right, left];
  const [input] = distance.kind === "call" && distance.name === "abs" ? distance.inputs : [];
  if (input?.kind !== "symbol" || radius.kind !== "number" || radius.value.numerator < 0n) return undefined;
  const isClosed = operator === "≤";
  const [open, close] = isClosed ? (["[", "]"] as const) : (["(", ")"] as const);
  const inside: Expression = { kind: "tuple", open, close, items: [negated(radius), radius] };
  if (isInside) return { variable: input.name, interval: inside };
  const below: Expression = { kind: "tuple", open: "(", close, items: [negated(INFINITY), negated(radius)] };
  const above: Expression = { kind: "tuple", open, close: ")", items: [radius, INFINITY] };
  return { variable: input.name, interval: { kind: "union", parts: [below, above] } };
}

function plainIntervalOf(node: Relation): Region | undefined {
  const operators = node.operators;
  const at = node.sides.length === 3 ? 1 : node.sides.findIndex(({ kind }) => kind === "symbol");
  const variable = node.sides[at];
  if (variable?.kind !== "symbol") return undefined;
  const isAscending = operators.every((operator) => operator === "<" || operator === "≤");
  const isDescending = operators.every((operator) => operator === ">" || operator === "≥");
  if (!isAscending && !isDescending) return undefined;
  const before = node.sides[at - 1];
  const after = node.sides[at + 1];
  const [lower, upper] = isAscending ? [before, after] : [after, before];
  const [lowerOperator, upperOperator] = isAscending
    ? [operators[at - 1], operators[at]]
    : [operators[at], operators[at - 1]];
  return {
    variable: variable.name,
    interval: {
      kind: "tuple",
      open: lower !== undefined && (lowerOperator === "≤" || lowerOperator === "≥") ? "[" : "(",
      close: upper !== undefined && (upperOperator === "≤" || upperOperator === "≥") ? "]" : ")",
      items: [lower ?? negated(INFINITY), upper ?? INFINITY],
    },
  };
}
