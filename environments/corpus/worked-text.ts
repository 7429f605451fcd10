import { deriveKey, Random, type Split } from "@troupe/core/sdk";
import { apply, drawProblem, textOf, type Problem } from "../arithmetic/problem.js";
import { drawIndex } from "../procedural/weighted-choice.js";
import type { Document, Mark } from "./documents.js";
import type { Settings } from "./settings.js";
import { splitOf } from "./split.js";

/** Draws of a problem that was there already, one after another, after which there seem to be no more. */
const MAX_DRAWS = 200;

/**
 * Wordings with their shares: 0.80 and 1.28 nats of chance, which no thinking removes. No two begin alike, so that a
 * tokenizer of few words, too, has all of the choice in one token.
 */
const VERBS = { " is ": 0.7, ": ": 0.2, " = ": 0.1 };
const CLOSINGS = { ", and that is all.": 0.4, "; done.": 0.3, " in the end.": 0.2, ".": 0.1 };

/**
 * Documents about sums: most of their tokens are copied or formulaic, some are a choice of words, and a few are results,
 * which whoever works them out knows for certain and everybody else has to guess.
 *
 *     3+4-9 mod 10             the context
 *     3+4-9 is 8; done. The answer is 8.
 *
 * The train split depends on the seed, the held-out documents never do; no problem is in both.
 */
export function workedDocuments({ worked, heldOut }: Settings, split: Split, seed: number): readonly Document[] {
  const random = new Random(deriveKey(split === "train" ? seed : 0, "corpus/worked", split));
  const wanted = split === "train" ? worked.documents : Math.ceil((worked.documents * heldOut) / (1 - heldOut));
  const seen = new Set<string>();
  const documents: Document[] = [];
  for (let draws = 0; documents.length < wanted && draws < MAX_DRAWS; draws++) {
    const problem = drawProblem(
      random,
      random.integer(worked.minSteps, worked.maxSteps + 1),
      ["+", "-"],
      worked.modulus,
    );
    const text = textOf(problem);
    if (seen.has(text) || splitOf(text, heldOut) !== split) continue;
    seen.add(text);
    documents.push(documentOf(problem, worked.modulus, random));
    draws = 0;
  }
  return documents;
}

function documentOf(problem: Problem, modulus: number, random: Random): Document {
  const expression = textOf(problem);
  const steps = stepsOf(problem, modulus);
  const value = Number(steps.at(-1)?.at(-1));
  const context = `${expression} mod ${modulus}\n`;
  const marks: Mark[] = [];
  let text = expression;
  const add = (piece: string, steps?: readonly string[]): void => {
    if (steps) marks.push({ at: context.length + text.length, steps });
    text += piece;
  };
  add(pick(VERBS, random), []);
  add(String(value), steps);
  add(pick(CLOSINGS, random), []);
  add(` The answer is ${value}.\n`);
  return { id: expression, context, text, marks };
}

/** "3+4=7", "7-9=8": every operation with its result. */
function stepsOf({ first, rest }: Problem, modulus: number): readonly string[] {
  let value = first;
  return rest.map(([operation, right]) => {
    const left = value;
    value = apply(left, operation, right, modulus);
    return `${left}${operation}${right}=${value}`;
  });
}

function pick(shares: Readonly<Record<string, number>>, random: Random): string {
  return Object.keys(shares)[drawIndex(Object.values(shares), random)] ?? "";
}
