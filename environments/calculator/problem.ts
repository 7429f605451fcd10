import type { Random } from "@troupe/core/sdk";

/** One of the three operations, as it is written. */
export type Operation = "+" | "-" | "*";

/** A number, and what is done to it, one operation after the other. */
export interface Problem {
  readonly first: number;
  readonly rest: readonly (readonly [Operation, number])[];
}

/** No step of a problem goes beyond it, above or below 0. */
const MAX_VALUE = 99_999;

/** A chain of `steps` operations on numbers from 2 to `maxOperand`. */
export function drawProblem(random: Random, steps: number, maxOperand: number): Problem {
  const operand = (): number => random.integer(2, maxOperand + 1);
  const first = operand();
  const rest: (readonly [Operation, number])[] = [];
  let value = first;
  for (let step = 0; step < steps; step++) {
    const right = operand();
    const fits = (["+", "-", "*"] as const).filter((operation) => {
      return Math.abs(apply(value, operation, right)) <= MAX_VALUE;
    });
    // A sum or a difference always fits: of the two one is nearer to 0.
    const operation = random.pick(fits);
    value = apply(value, operation, right);
    rest.push([operation, right]);
  }
  return { first, rest };
}

/** The result of one operation. */
export function apply(left: number, operation: Operation, right: number): number {
  return operation === "+" ? left + right : operation === "-" ? left - right : left * right;
}

/** How a problem is written: "12*7+5". */
export function textOf({ first, rest }: Problem): string {
  return String(first) + rest.map(([operation, right]) => operation + String(right)).join("");
}

/** Reads a problem's text; undefined when it is none. */
export function parseProblem(text: string): Problem | undefined {
  if (!/^\d{1,5}([-+*]\d{1,5}){1,20}$/.test(text)) return undefined;
  const [first = "", ...rest] = text.match(/\d+|[-+*]/g) ?? [];
  return {
    first: Number(first),
    rest: rest.flatMap((part, index) =>
      // Operations and numbers take turns, as the expression above has it.
      index % 2 === 0 ? [[part as Operation, Number(rest[index + 1])] as const] : [],
    ),
  };
}

/** The value of a problem: operations from left to right, no precedence. */
export function valueOf({ first, rest }: Problem): number {
  return rest.reduce((value, [operation, right]) => apply(value, operation, right), first);
}
