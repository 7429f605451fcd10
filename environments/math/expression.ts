import type { Rational } from "./rational.js";

/** What an answer says, as a tree. Quantities keep their unit; "%" and "°" are units. */
export type Expression =
  | NumberNode
  | { readonly kind: "constant"; readonly name: ConstantName }
  | { readonly kind: "symbol"; readonly name: string }
  /** Digits that name an integer in another base: 101_2. */
  | { readonly kind: "based"; readonly digits: string; readonly base: number }
  | { readonly kind: "sum"; readonly terms: readonly Expression[] }
  | { readonly kind: "product"; readonly factors: readonly Expression[] }
  | { readonly kind: "quotient"; readonly over: Expression; readonly under: Expression }
  | { readonly kind: "power"; readonly base: Expression; readonly exponent: Expression }
  | { readonly kind: "root"; readonly radicand: Expression; readonly degree: Expression }
  /** `upperSign` is the sign in the first of the two values that ± and ∓ stand for. */
  | { readonly kind: "plus-minus"; readonly term: Expression; readonly upperSign: 1 | -1 }
  | { readonly kind: "call"; readonly name: FunctionName; readonly inputs: readonly Expression[] }
  | { readonly kind: "quantity"; readonly value: Expression; readonly unit: string }
  | { readonly kind: "ratio"; readonly items: readonly Expression[] }
  | { readonly kind: "text"; readonly words: string }
  /** Items with commas between them and nothing around. */
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | {
      readonly kind: "tuple";
      readonly open: "(" | "[";
      readonly close: ")" | "]";
      readonly items: readonly Expression[];
    }
  | { readonly kind: "set"; readonly items: readonly Expression[] }
  | { readonly kind: "union"; readonly parts: readonly Expression[] }
  | { readonly kind: "intersection"; readonly parts: readonly Expression[] }
  | { readonly kind: "difference"; readonly from: Expression; readonly without: Expression }
  /** `value` modulo `modulus`, of a name if one is written: x ≡ 3 (mod 7). */
  | {
      readonly kind: "congruence";
      readonly of?: Expression;
      readonly value: Expression;
      readonly modulus: Expression;
    }
  /** Over a variable of its own, "#1" and so on by nesting, so that Σ i² and Σ j² are one tree. Bounds as written. */
  | {
      readonly kind: "series";
      readonly operator: "sum" | "product" | "integral" | "limit";
      readonly variable: string;
      readonly from?: Expression;
      readonly to?: Expression;
      readonly body: Expression;
    }
  | { readonly kind: "matrix"; readonly rows: readonly (readonly Expression[])[] }
  /** sides[0] operators[0] sides[1] …; one side more than operators. */
  | {
      readonly kind: "relation";
      readonly sides: readonly Expression[];
      readonly operators: readonly RelationOperator[];
    };

/** A number as written; `decimals` is the count of digits after its point, absent where there is no point. */
export interface NumberNode {
  readonly kind: "number";
  readonly value: Rational;
  readonly decimals?: number;
}

export type ConstantName = "pi" | "e" | "i" | "infinity";

export type RelationOperator = "=" | "≠" | "<" | ">" | "≤" | "≥" | "≈" | "∈";

/** Functions with a meaning; `log` has its base as a second input, if one is written. */
export const FUNCTION_NAMES = [
  "sin",
  "cos",
  "tan",
  "cot",
  "sec",
  "csc",
  "arcsin",
  "arccos",
  "arctan",
  "sinh",
  "cosh",
  "tanh",
  "ln",
  "log",
  "exp",
  "abs",
  "floor",
  "ceil",
  "factorial",
  "binomial",
  "cis",
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** A text that two expressions share exactly when they are written alike, up to layout. */
export function keyOf(expression: Expression): string {
  return JSON.stringify(expression, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

/** The names of all variables. */
export function symbolsOf(expression: Expression, found = new Set<string>()): Set<string> {
  if (expression.kind === "symbol" && !expression.name.startsWith("#")) found.add(expression.name);
  for (const child of childrenOf(expression)) symbolsOf(child, found);
  return found;
}

/** Whether any part of the tree, itself included, passes the test. */
export function someNode(expression: Expression, test: (node: Expression) => boolean): boolean {
  return test(expression) || childrenOf(expression).some((child) => someNode(child, test));
}

/** The same tree with an expression in place of every variable (or constant) of that name. */
export function substituted(node: Expression, name: string, value: Expression): Expression {
  if ((node.kind === "symbol" || node.kind === "constant") && node.name === name) return value;
  return mapChildren(node, (child) => substituted(child, name, value));
}

/** The same node over other children, each made from the child in its place. */
export function mapChildren(node: Expression, change: (child: Expression) => Expression): Expression {
  switch (node.kind) {
    case "number":
    case "constant":
    case "symbol":
    case "based":
    case "text":
      return node;
    case "sum":
      return { ...node, terms: node.terms.map(change) };
    case "product":
      return { ...node, factors: node.factors.map(change) };
    case "quotient":
      return { ...node, over: change(node.over), under: change(node.under) };
    case "power":
      return { ...node, base: change(node.base), exponent: change(node.exponent) };
    case "root":
      return { ...node, radicand: change(node.radicand), degree: change(node.degree) };
    case "plus-minus":
      return { ...node, term: change(node.term) };
    case "call":
      return { ...node, inputs: node.inputs.map(change) };
    case "quantity":
      return { ...node, value: change(node.value) };
    case "ratio":
    case "list":
    case "tuple":
    case "set":
      return { ...node, items: node.items.map(change) };
    case "union":
    case "intersection":
      return { ...node, parts: node.parts.map(change) };
    case "congruence":
      return {
        ...node,
        ...(node.of === undefined ? {} : { of: change(node.of) }),
        value: change(node.value),
        modulus: change(node.modulus),
      };
    case "series":
      return {
        ...node,
        ...(node.from === undefined ? {} : { from: change(node.from) }),
        ...(node.to === undefined ? {} : { to: change(node.to) }),
        body: change(node.body),
      };
    case "difference":
      return { ...node, from: change(node.from), without: change(node.without) };
    case "matrix":
      return { ...node, rows: node.rows.map((row) => row.map(change)) };
    case "relation":
      return { ...node, sides: node.sides.map(change) };
  }
}

/** The nodes right below a node. */
export function childrenOf(node: Expression): readonly Expression[] {
  const children: Expression[] = [];
  mapChildren(node, (child) => (children.push(child), child));
  return children;
}
