import { exactValue } from "./exact-value.js";
import { symbolsOf, type Expression } from "./expression.js";
import { numericPoint, numericValue } from "./numeric-value.js";
import { isReal } from "./precise-complex.js";
import { isNegative, isNoise, realOfRational, subtractReals, type Real } from "./precise-real.js";
import { SIZE_LIMITS, type WorkBudget } from "./work-budget.js";

/** An end of an interval: a number, or −∞ or ∞ as −1 or 1. */
type Bound = Real | -1 | 1;

/** An interval, or with equal closed ends a point. */
interface Piece {
  readonly low: Bound;
  readonly high: Bound;
  readonly hasLow: boolean;
  readonly hasHigh: boolean;
}

const WHOLE: Piece = { low: -1, high: 1, hasLow: false, hasHigh: false };

/**
 * A set of real numbers as disjoint pieces in ascending order, none of which touch: one form for each set, so that
 * [0, 1] ∪ [1, 3] is [0, 3]. Undefined for what is no such set, or has ends that cannot be worked out.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function realSet(node: Expression, budget: WorkBudget): readonly Piece[] | undefined {
  budget.spend(10);
  switch (node.kind) {
    case "tuple":
      return interval(node, budget);
    case "set":
      return joined(all(node.items.map((item) => point(item, budget)))?.flat());
    case "union":
      return joined(all(node.parts.map((part) => realSet(part, budget)))?.flat());
    case "intersection": {
      const sets = all(node.parts.map((part) => realSet(part, budget)));
      return sets?.reduce((a, b) => common(a, b, budget));
    }
    case "difference": {
      const [from, without] = [realSet(node.from, budget), realSet(node.without, budget)];
      return from && without && common(from, complement(without), budget);
    }
    default:
      return undefined;
  }
}

/** Whether two sets are the same. */
export function isSameRealSet(a: readonly Piece[], b: readonly Piece[]): boolean {
  return (
    a.length === b.length &&
    a.every((piece, i) => {
      const other = b[i];
      return (
        other !== undefined &&
        compareBounds(piece.low, other.low) === 0 &&
        compareBounds(piece.high, other.high) === 0 &&
        piece.hasLow === other.hasLow &&
        piece.hasHigh === other.hasHigh
      );
    })
  );
}

function interval(node: Extract<Expression, { readonly kind: "tuple" }>, budget: WorkBudget): Piece[] | undefined {
  const [first, second, ...rest] = node.items.map((item) => boundOf(item, budget));
  if (first === undefined || second === undefined || rest.length > 0) return undefined;
  const piece = { low: first, high: second, hasLow: node.open === "[", hasHigh: node.close === "]" };
  return isEmpty(piece) ? [] : [piece];
}

function point(item: Expression, budget: WorkBudget): Piece[] | undefined {
  const bound = boundOf(item, budget);
  return bound === undefined || typeof bound === "number"
    ? undefined
    : [{ low: bound, high: bound, hasLow: true, hasHigh: true }];
}

function boundOf(node: Expression, budget: WorkBudget): Bound | undefined {
  if (node.kind === "constant" && node.name === "infinity") return 1;
  if (node.kind === "product" && node.factors.length === 2) {
    const [sign, infinity] = node.factors;
    const isMinus = sign?.kind === "number" && isNegative(realOfRational(sign.value));
    if (isMinus && infinity?.kind === "constant" && infinity.name === "infinity") return -1;
  }
  if (symbolsOf(node).size > 0) return undefined;
  const exact = exactValue(node, budget);
  if (exact !== undefined) return realOfRational(exact);
  const value = numericValue(node, numericPoint(0, true, "10"), budget);
  return value !== undefined && isReal(value) ? value.re : undefined;
}

/** Negative, 0 or positive as a lies below, on or above b. */
function compareBounds(a: Bound, b: Bound): number {
  if (typeof a === "number" || typeof b === "number") {
    return (typeof a === "number" ? a : 0) - (typeof b === "number" ? b : 0);
  }
  const difference = subtractReals(a, b);
  return isNoise(difference) ? 0 : isNegative(difference) ? -1 : 1;
}

function isEmpty({ low, high, hasLow, hasHigh }: Piece): boolean {
  const order = compareBounds(low, high);
  return order > 0 || (order === 0 && !(hasLow && hasHigh));
}

/** Sorted, with what overlaps or touches as one. */
function joined(pieces: readonly Piece[] | undefined): readonly Piece[] | undefined {
  if (pieces === undefined || pieces.length > SIZE_LIMITS.items) return undefined;
  const sorted = pieces.toSorted((a, b) => compareBounds(a.low, b.low) || Number(b.hasLow) - Number(a.hasLow));
  const result: Piece[] = [];
  for (const piece of sorted) {
    const last = result.at(-1);
    const gap = last === undefined ? 1 : compareBounds(piece.low, last.high);
    if (last === undefined || gap > 0 || (gap === 0 && !piece.hasLow && !last.hasHigh)) {
      result.push(piece);
      continue;
    }
    const order = compareBounds(piece.high, last.high);
    const hasHigh = order === 0 ? last.hasHigh || piece.hasHigh : order > 0 ? piece.hasHigh : last.hasHigh;
    result[result.length - 1] = { ...last, high: order > 0 ? piece.high : last.high, hasHigh };
  }
  return result;
}

function common(a: readonly Piece[], b: readonly Piece[], budget: WorkBudget): readonly Piece[] {
  const shared: Piece[] = [];
  for (const one of a) {
    for (const other of b) {
      budget.spend(4);
      const low = compareBounds(one.low, other.low);
      const high = compareBounds(one.high, other.high);
      const piece = {
        low: low >= 0 ? one.low : other.low,
        high: high <= 0 ? one.high : other.high,
        hasLow: low === 0 ? one.hasLow && other.hasLow : low > 0 ? one.hasLow : other.hasLow,
        hasHigh: high === 0 ? one.hasHigh && other.hasHigh : high < 0 ? one.hasHigh : other.hasHigh,
      };
      if (!isEmpty(piece)) shared.push(piece);
    }
  }
  return shared;
}

/** All reals but those of disjoint ascending pieces. */
function complement(pieces: readonly Piece[]): readonly Piece[] {
  const rest: Piece[] = [];
  let { low, hasLow } = WHOLE;
  for (const piece of pieces) {
    const before = { low, hasLow, high: piece.low, hasHigh: !piece.hasLow && piece.low !== -1 };
    if (!isEmpty(before)) rest.push(before);
    [low, hasLow] = [piece.high, !piece.hasHigh && piece.high !== 1];
  }
  const last = { low, hasLow, high: WHOLE.high, hasHigh: false };
  if (!isEmpty(last)) rest.push(last);
  return rest;
}

function all<T>(values: readonly (T | undefined)[]): readonly T[] | undefined {
  const known = values.flatMap((value) => (value === undefined ? [] : [value]));
  return known.length === values.length ? known : undefined;
}
