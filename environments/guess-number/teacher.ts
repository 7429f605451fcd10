import type { Random, Teacher } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { problemTextOf } from "../procedural/worked-teacher.js";
import { answerTo } from "./episodes.js";
import { parseProblem, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

interface Guess {
  readonly low: number;
  readonly high: number;
  readonly guess: number;
}

/**
 * Notes what comes into question and guesses the middle of it. With probability `errorRate` it guesses at random instead,
 * and never finds the number.
 *
 * @throws TASK_OF_ANOTHER_ENVIRONMENT, from `demonstrate`
 */
export function guessTeacher({ teacher }: Settings): Teacher {
  return {
    demonstrate: (task, random) => {
      const problem = parseProblem(problemTextOf(task) ?? "");
      if (problem === undefined)
        throw errors.taskOfAnotherEnvironment({ environment: "guess-number", taskId: task.id });
      const guesses = random.uniform() >= teacher.errorRate ? halving(problem) : missing(problem, random);
      const said = guesses.map(({ low, high, guess }) => `${low}..${high}\n</think>\n\n\\boxed{${guess}}`);
      const turns = guesses.slice(0, -1).map(({ guess }, index) => ({
        messages: [{ role: "user", content: answerTo(guess, problem.secret) } as const],
        response: said[index + 1] ?? "",
      }));
      return { prefix: "<think>\n", response: said[0] ?? "", turns };
    },
  };
}

/** Guesses up to the right one. */
function halving({ low, high, secret }: Problem): readonly Guess[] {
  const guesses: Guess[] = [];
  let guess: number;
  do {
    guess = Math.floor((low + high) / 2);
    guesses.push({ low, high, guess });
    if (guess < secret) low = guess + 1;
    else high = guess - 1;
  } while (guess !== secret);
  return guesses;
}

/** As many guesses as there are, none of them right. */
function missing({ low, high, guesses: count, secret }: Problem, random: Random): readonly Guess[] {
  return Array.from({ length: count }, () => {
    const wrong =
      low === high ? secret + 1 : ((secret + random.integer(1, high - low + 1) - low) % (high - low + 1)) + low;
    const guess = { low, high, guess: wrong };
    if (wrong < secret) low = wrong + 1;
    else if (wrong <= high) high = wrong - 1;
    return guess;
  });
}
