// The rules for each shape in one file: they call each other in a circle, so that a split would only scatter them.
import { compareScalars, decideScalars, isRoundingOf } from "./compare-scalar.js";
import { exactValue } from "./exact-value.js";
import { keyOf, mapChildren, someNode, symbolsOf, type Expression } from "./expression.js";
import { expandSigns, intervalOf, namedList, namedValue, orientRelation } from "./normal-form.js";
import { foldMatrix } from "./matrix-arithmetic.js";
import { numericPoint, numericValue } from "./numeric-value.js";
import { isNegative } from "./precise-real.js";
import { isReal, over } from "./precise-complex.js";
import { integerOf, rational } from "./rational.js";
import { isSameRealSet, realSet } from "./real-set.js";
import { isSameCurve } from "./same-curve.js";
import { printExpression } from "./print-expression.js";
import type { TraceStep } from "./trace.js";
import { unitScale } from "./unit-scales.js";
import { coordinatesOf, hasUnitVector } from "./vector-coordinates.js";
import type { WorkBudget } from "./work-budget.js";

/** How answers are compared, and what the comparison leaves behind. */
export interface Comparison {
  readonly budget: WorkBudget;
  /** "unit": 50 % equals 0.5, and also 50 where one side leaves the sign out. "value": 50 % equals 0.5 alone. */
  readonly percent: "unit" | "value";
  /** Where the steps are noted, if anybody will read them. */
  readonly trace?: TraceStep[];
  /** Set when two forms met that no method could evaluate; the answer counts as different. */
  isUndecided: boolean;
  /** Told of values that no method here could compare. */
  readonly onUndecided?: (gold: Expression, answer: Expression) => void;
}

/**
 * Whether an answer says what the reference says.
 *
 * Lists and sets ignore order, tuples keep it, intervals keep their brackets; "x = 5" may stand for 5, an inequality for
 * its interval; equations are equal up to a constant factor; a unit may be left out and may not be changed. Values are
 * compared by `compareScalars`.
 *
 * @throws MATH_WORK_EXCEEDED
 */
export function isSameAnswer(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  if (keyOf(gold) === keyOf(answer)) return true;
  comparison.budget.spend(10);
  const bySets = compareSets(gold, answer, comparison);
  if (bySets !== undefined) return bySets;
  const [goldItems, answerItems] = [itemsOf(gold, true), itemsOf(answer, false)];
  if (goldItems === undefined && answerItems === undefined) return isSameSingle(gold, answer, comparison);
  return isSameCollection(gold, goldItems, answer, answerItems, comparison);
}

/** Whether two sets of reals are the same, where one is made of others; undefined where one is no such set. */
function compareSets(gold: Expression, answer: Expression, comparison: Comparison): boolean | undefined {
  const isMade = ({ kind }: Expression) => kind === "union" || kind === "intersection" || kind === "difference";
  const [g, a] = [gold, answer].map((side) => intervalOf(side)?.interval ?? side);
  if (g === undefined || a === undefined || !(isMade(g) || isMade(a))) return undefined;
  if (gold.kind === "relation" && answer.kind === "relation") return undefined;
  const goldSet = realSet(g, comparison.budget);
  const answerSet = goldSet && realSet(a, comparison.budget);
  if (goldSet === undefined || answerSet === undefined) return undefined;
  const isSame = isSameRealSet(goldSet, answerSet);
  noteStep(comparison, "sets", g, a, isSame ? "the same pieces of the real line" : "different pieces of the real line");
  return isSame;
}

/** The members of a list or set, ± written out; undefined for all that is one thing. */
function itemsOf(node: Expression, isReference: boolean): readonly Expression[] | undefined {
  const value = namedValue(node, isReference);
  if (value !== undefined && (value.kind === "list" || value.kind === "set")) return itemsOf(value, isReference);
  const [first, ...rest] = expandSigns(node);
  if (first === undefined) return undefined;
  if (rest.length > 0) return named([first, ...rest], isReference);
  return first.kind === "list" || first.kind === "set" ? named(first.items, isReference) : undefined;
}

function named(items: readonly Expression[], isReference: boolean): readonly Expression[] {
  return namedList(items, isReference, keyOf) ?? items;
}

function isSameCollection(
  gold: Expression,
  goldItems: readonly Expression[] | undefined,
  answer: Expression,
  answerItems: readonly Expression[] | undefined,
  comparison: Comparison,
): boolean {
  if (goldItems !== undefined && answerItems !== undefined) {
    return gold.kind === "set" && answer.kind === "set"
      ? isSameSet(goldItems, answerItems, comparison)
      : isSameMultiset(goldItems, answerItems, comparison);
  }
  // A list of coordinates without its brackets keeps its order; a list of one thing is that thing.
  const [single, items, isGoldSingle] =
    goldItems === undefined ? ([gold, answerItems ?? [], true] as const) : ([answer, goldItems, false] as const);
  const [only] = items;
  if (items.length === 1 && only !== undefined)
    return isGoldSingle ? isSameSingle(single, only, comparison) : isSameSingle(only, single, comparison);
  const collection = isGoldSingle ? answer : gold;
  const named = namedValue(single, isGoldSingle);
  if (named?.kind === "tuple")
    return isSameCollection(
      isGoldSingle ? named : gold,
      isGoldSingle ? undefined : goldItems,
      isGoldSingle ? answer : named,
      isGoldSingle ? answerItems : undefined,
      comparison,
    );
  if (single.kind === "union") {
    // "x < −1 or x > 3" is the union of the two intervals; it has no order.
    const intervals = items.map((item) => intervalOf(item)?.interval ?? item);
    return isSameMultiset(single.parts, intervals, comparison);
  }
  if (single.kind !== "tuple" || single.open !== "(" || single.close !== ")" || collection.kind !== "list")
    return false;
  return isSameSequence(single.items, items, comparison);
}

function isSameSequence(gold: readonly Expression[], answer: readonly Expression[], comparison: Comparison): boolean {
  return (
    gold.length === answer.length &&
    gold.every((item, index) => {
      const other = answer[index];
      return other !== undefined && isSameAnswer(item, other, comparison);
    })
  );
}

/** The same items, each as often, in any order. Equality is transitive, so the first partner found will do. */
function isSameMultiset(gold: readonly Expression[], answer: readonly Expression[], comparison: Comparison): boolean {
  if (gold.length !== answer.length) return false;
  const left = [...answer];
  return gold.every((item) => {
    const partner = left.findIndex((other) => isSameMember(item, other, comparison));
    if (partner < 0) return false;
    left.splice(partner, 1);
    return true;
  });
}

function isSameSet(gold: readonly Expression[], answer: readonly Expression[], comparison: Comparison): boolean {
  return (
    gold.every((item) => answer.some((other) => isSameMember(item, other, comparison))) &&
    answer.every((item) => gold.some((other) => isSameMember(item, other, comparison)))
  );
}

/** Inside a collection a name matters: "x = 1, y = 2" is not "2, 1". */
function isSameMember(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  return (gold.kind === "relation") === (answer.kind === "relation") && isSameAnswer(gold, answer, comparison);
}

function isSameSingle(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  if (gold.kind === "relation" || answer.kind === "relation") return isSameRelation(gold, answer, comparison);
  const [g, a] = [foldMatrix(gold, comparison.budget), foldMatrix(answer, comparison.budget)];
  if (g.kind === "congruence" || a.kind === "congruence") return isSameResidue(g, a, comparison);
  if (g.kind === "quantity" || a.kind === "quantity") return isSameQuantity(g, a, comparison);
  if (g.kind === "tuple" && a.kind === "tuple") {
    return g.open === a.open && g.close === a.close && isSameSequence(g.items, a.items, comparison);
  }
  if (g.kind === "matrix" && a.kind === "matrix") {
    return (
      g.rows.length === a.rows.length &&
      g.rows.every((row, index) => isSameSequence(row, a.rows[index] ?? [], comparison))
    );
  }
  if (g.kind === "matrix" || a.kind === "matrix" || hasUnitVector(g) || hasUnitVector(a))
    return isSameVector(g, a, comparison);
  if (g.kind === "union" && a.kind === "union") return isSameMultiset(g.parts, a.parts, comparison);
  if (g.kind === "difference" && a.kind === "difference") {
    return isSameAnswer(g.from, a.from, comparison) && isSameAnswer(g.without, a.without, comparison);
  }
  if (g.kind === "ratio" || a.kind === "ratio") return isSameRatio(g, a, comparison);
  if (a.kind === "based") return isSameDigits(g, a.digits);
  if (!isScalar(g) || !isScalar(a)) return g.kind === "text" && a.kind === "text" && g.words === a.words;
  return isSameScalar(g, a, comparison);
}

/**
 * A reference without a base may be in any: many sets write 204 where their problem asks for base 5. One that states its
 * base is met by the same digits in that base alone, which is the same tree and was found to be equal before.
 */
function isSameDigits(gold: Expression, digits: string): boolean {
  return (
    gold.kind === "number" &&
    gold.decimals === undefined &&
    gold.value.denominator === 1n &&
    String(gold.value.numerator) === digits
  );
}

const NOT_SCALAR: ReadonlySet<Expression["kind"]> = new Set([
  "text",
  "list",
  "tuple",
  "set",
  "union",
  "intersection",
  "difference",
  "matrix",
  "relation",
  "ratio",
  "based",
  "congruence",
]);

function isScalar(node: Expression): boolean {
  return !someNode(node, ({ kind }) => NOT_SCALAR.has(kind));
}

function isSameScalar(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  const { budget } = comparison;
  if (
    (gold.kind === "constant" && gold.name === "infinity") ||
    (answer.kind === "constant" && answer.name === "infinity")
  )
    return false;
  const { equality, by } = decideScalars(gold, answer, budget);
  noteStep(comparison, "compare", gold, answer, `${equality}, by ${by}`);
  if (equality === "undecided") {
    comparison.isUndecided = true;
    comparison.onUndecided?.(gold, answer);
  }
  if (equality === "equal") return true;
  const isRounding = isRoundingOf(answer, gold, budget) || isRoundingOf(gold, answer, budget);
  if (isRounding) noteStep(comparison, "round", gold, answer, "one is the other, rounded at its last decimal");
  return isRounding;
}

/** A long list of items would bury what decided. */
const MAX_TRACE = 40;

function noteStep({ trace }: Comparison, step: string, gold: Expression, answer: Expression, says: string): void {
  if (trace !== undefined && trace.length < MAX_TRACE)
    trace.push({ step, says: `${shown(gold)} and ${shown(answer)}: ${says}` });
}

function shown(node: Expression): string {
  const text = printExpression(node);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Equal values with one unit, or with a unit on one side only. */
function isSameQuantity(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  const [g, a] = [quantityOf(gold), quantityOf(answer)];
  if (g.unit === a.unit) return isSameAnswer(g.value, a.value, comparison);
  const unit = g.unit === "" ? a.unit : a.unit === "" ? g.unit : undefined;
  if (unit === undefined) return isSameMeasure(g, a, comparison);
  if (
    (unit === "%" || unit === "°") &&
    isScalar(g.value) &&
    isScalar(a.value) &&
    isSameScalar(gold, answer, comparison)
  )
    return true;
  return (unit !== "%" || comparison.percent === "unit") && isSameAnswer(g.value, a.value, comparison);
}

/** 5 cm is 50 mm; 180° is π radians. */
function isSameMeasure(gold: Quantity, answer: Quantity, comparison: Comparison): boolean {
  if (!isScalar(gold.value) || !isScalar(answer.value)) return false;
  const angle = ({ value, unit }: Quantity): Expression | undefined =>
    unit === "°" ? { kind: "quantity", value, unit } : unit === "radian" ? value : undefined;
  const [goldAngle, answerAngle] = [angle(gold), angle(answer)];
  if (goldAngle !== undefined && answerAngle !== undefined) return isSameScalar(goldAngle, answerAngle, comparison);
  const [g, a] = [unitScale(gold.unit), unitScale(answer.unit)];
  if (g === undefined || a === undefined || g.dimension !== a.dimension) return false;
  const inBase = (value: Expression, scale: Expression): Expression => ({ kind: "product", factors: [scale, value] });
  return isSameScalar(
    inBase(gold.value, { kind: "number", value: g.scale }),
    inBase(answer.value, { kind: "number", value: a.scale }),
    comparison,
  );
}

interface Quantity {
  readonly value: Expression;
  readonly unit: string;
}

function quantityOf(node: Expression): Quantity {
  return node.kind === "quantity" ? node : { value: node, unit: "" };
}

/** A row or column against coordinates in round brackets. */
function isSameVector(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  const [g, a] = [coordinatesOf(gold), coordinatesOf(answer)];
  return g !== undefined && a !== undefined && isSameSequence(g, a, comparison);
}

/** 3 (mod 7) is 10 (mod 7), and 3 alone; the names before ≡ must agree where both have one. */
function isSameResidue(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  const { budget } = comparison;
  if (gold.kind === "congruence" && answer.kind === "congruence") {
    const [modulus, other] = [exactValue(gold.modulus, budget), exactValue(answer.modulus, budget)];
    const [value, otherValue] = [exactValue(gold.value, budget), exactValue(answer.value, budget)];
    const whole = [modulus, other, value, otherValue].map((one) => one && integerOf(one));
    const [m, n, a, b] = whole;
    const hasSameName = gold.of === undefined || answer.of === undefined || keyOf(gold.of) === keyOf(answer.of);
    return (
      hasSameName && m !== undefined && m > 0n && m === n && a !== undefined && b !== undefined && (a - b) % m === 0n
    );
  }
  const [g, a] = [gold, answer].map((side) => (side.kind === "congruence" ? side.value : side));
  return g !== undefined && a !== undefined && isSameAnswer(g, a, comparison);
}

/** 2 : 3 equals 4 : 6, and as a fraction 2/3. */
function isSameRatio(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  const [g, a] = [gold, answer].map((node) =>
    node.kind === "ratio" ? node.items : [node, { kind: "number", value: rational(1n) } as const],
  );
  if (g === undefined || a === undefined || g.length !== a.length || ![...g, ...a].every(isScalar)) return false;
  const [firstGold, firstAnswer] = [g[0], a[0]];
  if (firstGold === undefined || firstAnswer === undefined) return false;
  return g.slice(1).every((item, index) => {
    const other = a[index + 1];
    const cross = (x: Expression, y: Expression): Expression => ({ kind: "product", factors: [x, y] });
    return (
      other !== undefined &&
      compareScalars(cross(item, firstAnswer), cross(other, firstGold), comparison.budget) === "equal"
    );
  });
}

function isSameRelation(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  if (gold.kind === "relation" && answer.kind === "relation") {
    const [g, a] = [intervalOf(gold), intervalOf(answer)];
    if (g !== undefined && a !== undefined)
      return g.variable === a.variable && isSameAnswer(g.interval, a.interval, comparison);
    if (isSameEquation(gold, answer, comparison)) return true;
    const [first, other] = [gold.sides[0], answer.sides[0]];
    if (first === undefined || other === undefined || keyOf(first) !== keyOf(other)) return false;
    const [goldValue, answerValue] = [namedValue(gold, true), namedValue(answer, false)];
    return goldValue !== undefined && answerValue !== undefined && isSameAnswer(goldValue, answerValue, comparison);
  }
  if (gold.kind === "relation") {
    const value = namedValue(gold, true) ?? intervalOf(gold)?.interval;
    return value !== undefined && isSameAnswer(value, answer, comparison);
  }
  const value =
    namedValue(answer, false) ?? calculated(answer, comparison) ?? exactSide(answer) ?? intervalOf(answer)?.interval;
  return value !== undefined && isSameAnswer(gold, value, comparison);
}

/** What is rounded behind an ≈: the answer "3/56 ≈ 0.0536" is 3/56. */
function exactSide(node: Expression): Expression | undefined {
  return node.kind === "relation" && node.operators.every((operator) => operator === "≈") ? node.sides[0] : undefined;
}

/** The result of a calculation that holds, "2 + 3 = 5"; of one that does not, nothing. */
function calculated(node: Expression, { budget }: Comparison): Expression | undefined {
  if (node.kind !== "relation" || !node.operators.every((operator) => operator === "=")) return undefined;
  const [first, ...rest] = node.sides;
  if (first === undefined || exactValue(first, budget) === undefined) return undefined;
  return rest.every((side) => compareScalars(first, side, budget) === "equal") ? rest.at(-1) : undefined;
}

/**
 * Whether left − right of one relation is a constant multiple of the other's: any factor but 0 for = and ≠, a positive
 * one for < and ≤.
 */
function isSameEquation(gold: Expression, answer: Expression, comparison: Comparison): boolean {
  const [g, a] = [orientRelation(gold), orientRelation(answer)];
  if (g === undefined || a === undefined || g.operator !== a.operator) return false;
  if (![g.left, g.right, a.left, a.right].every(isScalar)) return false;
  const { budget } = comparison;
  const zero: Expression = { kind: "number", value: rational(0n) };
  const [goldSide, answerSide] = [difference(g.left, g.right), difference(a.left, a.right)];
  if (symbolsOf(goldSide).size === 0) return false;
  if ([goldSide, answerSide].some((side) => compareScalars(side, zero, budget) !== "different")) return false;
  // The factor is what the quotient is worth at any point; it is constant if it does not change when every variable moves.
  const quotient: Expression = { kind: "quotient", over: goldSide, under: answerSide };
  if (compareScalars(quotient, renamed(quotient), budget) !== "equal")
    return g.operator === "=" && isSameCurve(goldSide, answerSide, budget);
  if (g.operator === "=" || g.operator === "≠") return true;
  const point = numericPoint(0, true, "10");
  const [goldValue, answerValue] = [numericValue(goldSide, point, budget), numericValue(answerSide, point, budget)];
  const factor = goldValue && answerValue && over(goldValue, answerValue);
  return factor !== undefined && isReal(factor) && !isNegative(factor.re);
}

function difference(left: Expression, right: Expression): Expression {
  return {
    kind: "sum",
    terms: [left, { kind: "product", factors: [{ kind: "number", value: rational(-1n) }, right] }],
  };
}

function renamed(node: Expression): Expression {
  return node.kind === "symbol" && !node.name.startsWith("#")
    ? { kind: "symbol", name: `other ${node.name}` }
    : mapChildren(node, renamed);
}
