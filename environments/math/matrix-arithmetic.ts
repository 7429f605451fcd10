import { exactValue } from "./exact-value.js";
import type { Expression } from "./expression.js";
import { integerOf, rational } from "./rational.js";
import type { WorkBudget } from "./work-budget.js";

type Matrix = Extract<Expression, { readonly kind: "matrix" }>;
type Rows = Matrix["rows"];

/** Products of matrices with variables in them grow fast; beyond this power they are left as they stand. */
const MAX_SYMBOLIC_POWER = 3n;
const MAX_POWER = 64n;

/**
 * Sums, products, whole powers, multiples and transposes of matrices as one matrix; all else as it is.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function foldMatrix(node: Expression, budget: WorkBudget): Expression {
  switch (node.kind) {
    case "quotient": {
      const over = foldMatrix(node.over, budget);
      return over.kind === "matrix" ? mapEntries(over, (entry) => ({ ...node, over: entry })) : node;
    }
    case "sum":
      return foldAll(node, node.terms, budget, addMatrices);
    case "product":
      return foldAll(node, node.factors, budget, (a, b) => multiplyMatrices(a, b, budget));
    case "power":
      return powerOf(node, budget);
    default:
      return node;
  }
}

function foldAll(
  node: Expression,
  parts: readonly Expression[],
  budget: WorkBudget,
  combine: (a: Expression, b: Expression) => Expression | undefined,
): Expression {
  const folded = parts.map((part) => foldMatrix(part, budget));
  if (!folded.some(({ kind }) => kind === "matrix")) return node;
  const [first, ...rest] = folded;
  let result = first;
  for (const part of rest) {
    budget.spend(10);
    result = result && combine(result, part);
  }
  return result ?? node;
}

function addMatrices(a: Expression, b: Expression): Expression | undefined {
  if (a.kind !== "matrix" || b.kind !== "matrix" || !hasSameShape(a.rows, b.rows)) return undefined;
  return {
    kind: "matrix",
    rows: a.rows.map((row, i) => row.map((entry, j) => ({ kind: "sum", terms: [entry, entryOf(b.rows, i, j)] }))),
  };
}

function multiplyMatrices(a: Expression, b: Expression, budget: WorkBudget): Expression | undefined {
  if (a.kind !== "matrix" || b.kind !== "matrix") {
    const [matrix, factor] = a.kind === "matrix" ? [a, b] : [b, a];
    if (matrix.kind !== "matrix") return { kind: "product", factors: [a, b] };
    return mapEntries(matrix, (entry) => ({ kind: "product", factors: [factor, entry] }));
  }
  const inner = b.rows.length;
  const columns = b.rows[0]?.length ?? 0;
  if (a.rows.some((row) => row.length !== inner) || b.rows.some((row) => row.length !== columns)) return undefined;
  return {
    kind: "matrix",
    rows: a.rows.map((row) =>
      Array.from({ length: columns }, (_, j) => {
        budget.spend(10 * inner);
        const terms = row.map((entry, k): Expression => ({ kind: "product", factors: [entry, entryOf(b.rows, k, j)] }));
        return worked({ kind: "sum", terms }, budget);
      }),
    ),
  };
}

/** An entry as a number where it is one, so that products do not grow. */
function worked(entry: Expression, budget: WorkBudget): Expression {
  const value = exactValue(entry, budget);
  if (value === undefined) return entry;
  const whole = integerOf(value);
  return { kind: "number", value: whole === undefined ? value : rational(whole) };
}

function powerOf(node: Extract<Expression, { readonly kind: "power" }>, budget: WorkBudget): Expression {
  const base = foldMatrix(node.base, budget);
  if (base.kind !== "matrix") return node;
  const { exponent } = node;
  if (exponent.kind === "symbol" && (exponent.name === "T" || exponent.name === "top")) return transposed(base);
  const value = exactValue(exponent, budget);
  const times = value && integerOf(value);
  const isExact = base.rows.flat().every((entry) => exactValue(entry, budget) !== undefined);
  if (times === undefined || times < 1n || times > (isExact ? MAX_POWER : MAX_SYMBOLIC_POWER)) return node;
  let result: Expression | undefined = base;
  for (let i = 1n; i < times; i++) result = result && multiplyMatrices(result, base, budget);
  return result ?? node;
}

function transposed({ rows }: Matrix): Expression {
  const columns = Math.max(0, ...rows.map(({ length }) => length));
  return {
    kind: "matrix",
    rows: Array.from({ length: columns }, (_, j) => rows.map((_row, i) => entryOf(rows, i, j))),
  };
}

/** The determinant of one, two or three rows written out; undefined for other shapes. */
export function determinant(rows: Rows): Expression | undefined {
  const size = rows.length;
  if (size < 1 || size > 3 || rows.some(({ length }) => length !== size)) return undefined;
  if (size === 1) return entryOf(rows, 0, 0);
  const terms = Array.from({ length: size }, (_, j): Expression => {
    const minor = determinant(rows.slice(1).map((row) => row.filter((_entry, column) => column !== j)));
    const sign: Expression = { kind: "number", value: rational(j % 2 === 0 ? 1n : -1n) };
    return { kind: "product", factors: [sign, entryOf(rows, 0, j), minor ?? sign] };
  });
  return { kind: "sum", terms };
}

function mapEntries({ rows }: Matrix, change: (entry: Expression) => Expression): Matrix {
  return { kind: "matrix", rows: rows.map((row) => row.map(change)) };
}

function hasSameShape(a: Rows, b: Rows): boolean {
  return a.length === b.length && a.every((row, i) => row.length === b[i]?.length);
}

/** Shapes are checked before entries are asked for. */
function entryOf(rows: Rows, i: number, j: number): Expression {
  return rows[i]?.[j] ?? { kind: "number", value: rational(0n) };
}
