import type { Random } from "@troupe/core/sdk";
import { integerOf } from "../math/rational.js";
import { numbersOf, valueOf, type Expression, type Operation } from "./expression.js";

/** No step of a generated solution goes above it. */
const MAX_TARGET = 999;

/** Numbers to be used, each exactly once, and what they are to make. */
export interface Problem {
  readonly numbers: readonly number[];
  readonly target: number;
  /** One way there; others are as good. */
  readonly solution: Expression;
}

/** Numbers with a solution that takes `operations` of them; there is one number more. */
export function drawProblem(random: Random, operations: number, maxNumber: number): Problem {
  const numbers = Array.from({ length: operations + 1 }, () => random.integer(1, maxNumber + 1));
  const { value: target, expression: solution } = drawSolution(random, numbers);
  return { numbers, target, solution };
}

interface Part {
  readonly value: number;
  readonly expression: Expression;
}

/** The numbers joined two by two, in any order, until one is left; every step has a whole, positive result. */
export function drawSolution(random: Random, numbers: readonly number[]): Part {
  let parts: readonly Part[] = numbers.map((value) => ({ value, expression: { number: String(value) } }));
  while (parts.length > 1) {
    const [a, b, ...rest] = random.shuffle(parts) as [Part, Part, ...Part[]]; // there are two or more
    parts = [join(random, a, b), ...rest];
  }
  return parts[0] as Part; // numbers are never empty
}

function join(random: Random, a: Part, b: Part): Part {
  const [left, right] = a.value >= b.value ? [a, b] : [b, a];
  const results: readonly (readonly [Operation, number])[] = [
    ["+", left.value + right.value],
    ["-", left.value - right.value],
    ["*", left.value * right.value],
    ["/", left.value / right.value],
  ];
  const fits = results.filter(([, value]) => Number.isInteger(value) && value > 0 && value <= MAX_TARGET);
  // Where they differ their difference fits, and where they are equal their quotient does.
  const [operation, value] = random.pick(fits);
  return { value, expression: { operation, left: left.expression, right: right.expression } };
}

/** The problem that a solution solves; undefined where its value is no whole number. */
export function problemOf(solution: Expression): Problem | undefined {
  const value = valueOf(solution);
  const target = value && integerOf(value);
  return target === undefined
    ? undefined
    : { numbers: numbersOf(solution).map(Number), target: Number(target), solution };
}
