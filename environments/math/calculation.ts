import { exactValue } from "./exact-value.js";
import { parseExpression } from "./parse-expression.js";
import { isEqual, rationalOfDecimal, type Rational } from "./rational.js";
import type { Settings } from "./settings.js";
import { WorkBudget } from "./work-budget.js";

/** "48/2" and "24" of "48/2=24". */
export interface Calculation {
  readonly left: string;
  readonly result: string;
  readonly operators: number;
}

/** Reads a calculation; undefined where the filters leave it out, it is none, or its result is rounded or wrong. */
export function readCalculation(text: string, filters: Settings["calculations"]): Calculation | undefined {
  const [, left, result] =
    /^((?!.*\*\*)[-+*/().\d]+)=(-?(?:\d+(?:\.\d+)?|\.\d+))$/.exec(text.replace(/\s+/g, "")) ?? [];
  if (left === undefined || result === undefined) return undefined;
  // A sign at the start or after another operator or bracket belongs to its number.
  const operators = left.match(/(?<=[\d.)])[-+*/]/g) ?? [];
  const operands = left.match(/\d+(?:\.\d+)?|\.\d+/g) ?? [];
  // The expression above admits these four alone.
  const isAllowed = operators.every((operator) => filters.operators.includes(operator as "+"));
  const isInteger = !left.includes(".") && !result.includes(".");
  const isSmall =
    operands.every((operand) => Number(operand) <= filters.maxOperand) && Math.abs(Number(result)) <= filters.maxResult;
  const isWanted =
    operators.length > 0 &&
    operators.length <= filters.maxOperators &&
    isAllowed &&
    isSmall &&
    (isInteger || !filters.integersOnly);
  return isWanted && isTrue(left, result) ? { left, result, operators: operators.length } : undefined;
}

function isTrue(left: string, result: string): boolean {
  const budget = new WorkBudget();
  try {
    const value = exactValue(parseExpression(left, budget)[0] ?? { kind: "text", words: "" }, budget);
    return value !== undefined && isEqual(value, signed(result));
  } catch {
    // What cannot be read, "9//9" for example, is no calculation.
    return false;
  }
}

function signed(text: string): Rational {
  const size = rationalOfDecimal(text.replace("-", ""));
  return text.startsWith("-") ? { ...size, numerator: -size.numerator } : size;
}
