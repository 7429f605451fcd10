import type { Random } from "@troupe/core/sdk";

/** One of the three operations, as it is written. */
export type Operation = "+" | "-" | "*";

/** Operands and operations of a problem, in order. */
export interface Problem {
  readonly first: number;
  readonly rest: readonly (readonly [Operation, number])[];
}

/** The result of one operation, in [0, modulus). */
export function apply(left: number, operation: Operation, right: number, modulus: number): number {
  const value = operation === "+" ? left + right : operation === "-" ? left - right : left * right;
  return ((value % modulus) + modulus) % modulus;
}

/** A chain of `steps` operations on digits below the modulus, each part equally likely. */
export function drawProblem(random: Random, steps: number, operations: readonly Operation[], modulus: number): Problem {
  const first = random.integer(0, modulus);
  return {
    first,
    rest: Array.from({ length: steps }, () => [random.pick(operations), random.integer(0, modulus)] as const),
  };
}

/** How a problem is written: "3+4-9". */
export function textOf({ first, rest }: Problem): string {
  return String(first) + rest.map(([operation, digit]) => operation + String(digit)).join("");
}

/** Reads a problem's text; undefined when it is none. */
export function parseProblem(text: string): Problem | undefined {
  if (!/^\d([-+*]\d)+$/.test(text)) return undefined;
  const rest = [...text.slice(1).matchAll(/([-+*])(\d)/g)].map(
    // The expression admits these three alone.
    ([, operation, digit]) => [operation as Operation, Number(digit)] as const,
  );
  return { first: Number(text[0]), rest };
}

/** The value of a problem: operations from left to right, each result modulo `modulus`, no precedence. */
export function valueOf({ first, rest }: Problem, modulus: number): number {
  return rest.reduce((value, [operation, right]) => apply(value, operation, right, modulus), first % modulus);
}
