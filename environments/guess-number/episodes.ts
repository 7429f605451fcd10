import type { EpisodeOutcome, Episodes } from "@troupe/core/sdk";
import { extractAnswer } from "../math/extract-answer.js";
import { problemTextOf } from "../procedural/worked-teacher.js";
import { parseProblem } from "./problem.js";

/** Guesses made so far. */
type Guesses = number;

/** What a guess is answered with, unless it is right. */
export function answerTo(guess: number | undefined, secret: number): string {
  return guess === undefined ? "box a whole number" : guess < secret ? "higher" : "lower";
}

/** Says higher or lower until the number is found, a pass, or the guesses are used up, a fail. */
export const guessEpisodes: Episodes<Guesses> = {
  reset: () => ({ state: 0, messages: [], isDone: false }),
  step({ task }, before, { assistantPrefix, responseText: response }) {
    const problem = parseProblem(problemTextOf(task) ?? "");
    const state = before + 1;
    const over = (outcome: EpisodeOutcome) => ({ state, messages: [], isDone: true, outcome });
    if (problem === undefined)
      return over({ kind: "error", reason: `unusable-reference: task "${task.id}" hides no number` });
    const { answer } = extractAnswer({ assistantPrefix, response });
    const guess = answer !== undefined && /^\s*-?\d{1,9}\s*$/.test(answer) ? Number(answer) : undefined;
    const parts = { guesses: state };
    if (guess === problem.secret) return over({ kind: "pass", score: 1, reason: "found", parts });
    if (state >= problem.guesses)
      return over({ kind: "fail", score: 0, reason: `out-of-guesses: the number was ${problem.secret}`, parts });
    return { state, messages: [{ role: "user", content: answerTo(guess, problem.secret) }], isDone: false };
  },
};
