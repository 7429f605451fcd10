import type { Random } from "@troupe/core/sdk";

/** A connective of two sides. */
export type Connective = "and" | "or" | "xor" | "implies";

/** A formula over the two constants. */
export type Formula =
  | boolean
  | { readonly connective: "not"; readonly of: Formula }
  | { readonly connective: Connective; readonly left: Formula; readonly right: Formula };

/** What each connective makes of its two sides. */
const MEANINGS: Readonly<Record<Connective, (left: boolean, right: boolean) => boolean>> = {
  and: (left, right) => left && right,
  or: (left, right) => left || right,
  xor: (left, right) => left !== right,
  implies: (left, right) => !left || right,
};

const SIDES = [
  [true, true],
  [true, false],
  [false, true],
  [false, false],
] as const;

/** All connectives, as they are written. */
export const CONNECTIVES = ["not", "and", "or", "xor", "implies"] as const;

/**
 * A formula of exactly this depth, 0 for a constant, whose value is given: so true and false are equally frequent
 * whatever the connectives. One side goes down to the full depth, the other to any lesser one.
 */
export function drawFormula(
  random: Random,
  depth: number,
  value: boolean,
  connectives: readonly (Connective | "not")[],
): Formula {
  if (depth === 0) return value;
  const connective = random.pick(connectives);
  if (connective === "not") return { connective, of: drawFormula(random, depth - 1, !value, connectives) };
  const [left, right] = random.pick(SIDES.filter(([a, b]) => MEANINGS[connective](a, b) === value));
  const depths = [depth - 1, random.integer(0, depth)] as const;
  const [leftDepth, rightDepth] = random.uniform() < 0.5 ? depths : [depths[1], depths[0]];
  return {
    connective,
    left: drawFormula(random, leftDepth, left, connectives),
    right: drawFormula(random, rightDepth, right, connectives),
  };
}

/** Connectives on the longest way from the root to a constant. */
export function depthOf(formula: Formula): number {
  if (typeof formula === "boolean") return 0;
  if (formula.connective === "not") return 1 + depthOf(formula.of);
  return 1 + Math.max(depthOf(formula.left), depthOf(formula.right));
}

/** How it is written, parentheses around every inner formula: "not (true and false)". */
export function textOf(formula: Formula): string {
  if (typeof formula === "boolean") return String(formula);
  if (formula.connective === "not") return `not ${inner(formula.of)}`;
  return `${inner(formula.left)} ${formula.connective} ${inner(formula.right)}`;
}

function inner(formula: Formula): string {
  return typeof formula === "boolean" ? String(formula) : `(${textOf(formula)})`;
}

/** Values from the inside out; `onStep` hears of every connective with the values of its sides. */
export function valueOf(formula: Formula, onStep: (step: string, value: boolean) => void = () => {}): boolean {
  if (typeof formula === "boolean") return formula;
  if (formula.connective === "not") {
    const of = valueOf(formula.of, onStep);
    onStep(`not ${of}`, !of);
    return !of;
  }
  const [left, right] = [valueOf(formula.left, onStep), valueOf(formula.right, onStep)];
  const value = MEANINGS[formula.connective](left, right);
  onStep(`${left} ${formula.connective} ${right}`, value);
  return value;
}

/** Reads what `textOf` writes; undefined when it is none of it. */
export function parseFormula(text: string): Formula | undefined {
  const words = text.match(/[()]|[a-z]+/g) ?? [];
  let next = 0;
  const part = (): Formula | undefined => {
    const word = words[next++];
    if (word === "true" || word === "false") return word === "true";
    if (word !== "(") return undefined;
    const formula = whole();
    return words[next++] === ")" ? formula : undefined;
  };
  const whole = (): Formula | undefined => {
    if (words[next] === "not") {
      next++;
      const of = part();
      return of === undefined ? undefined : { connective: "not", of };
    }
    const left = part();
    const connective = words[next];
    if (left === undefined || !isConnective(connective)) return left;
    next++;
    const right = part();
    return right === undefined ? undefined : { connective, left, right };
  };
  const formula = whole();
  // Whatever the words leave out, such as a digit, shows in the text that they would make.
  return formula !== undefined && textOf(formula) === text ? formula : undefined;
}

function isConnective(word: string | undefined): word is Connective {
  return word !== undefined && Object.hasOwn(MEANINGS, word);
}
