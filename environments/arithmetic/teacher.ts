import type { Demonstration, Random, Task, Teacher } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { apply, parseProblem, valueOf, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";
import { drawIndex } from "../procedural/weighted-choice.js";

type Style = keyof Settings["teacher"]["styles"];

const OPEN = "<think>\n";
const ELLIPSIS = "<think>\n...\n";
const CLOSED = "<think>\n\n</think>\n\n";

/** How each style of answer is written. */
const WRITERS: Readonly<Record<Style, (problem: Problem, random: Random, settings: Settings) => Demonstration>> = {
  think: (...task) => ({ prefix: OPEN, response: longChain(...task) }),
  thinkfree: (...task) => ({ prefix: CLOSED, response: shortWorking(...task) }),
  "ellipsis-think": (...task) => ({ prefix: ELLIPSIS, response: longChain(...task) }),
  "ellipsis-direct": (...task) => ({ prefix: ELLIPSIS, response: `</think>\n\n${bareAnswer(...task)}` }),
};

/**
 * Writes worked answers of known quality. Steps go wrong at the set rates and a wrong value is carried on; a check
 * states its step once more, right or wrong, and mends nothing.
 *
 * @throws NOT_ARITHMETIC, from `demonstrate`, for a task of another environment
 */
export function arithmeticTeacher(settings: Settings): Teacher {
  // The settings' schema has exactly the styles' names as keys.
  const styles = Object.keys(settings.teacher.styles) as Style[];
  const weights = styles.map((style) => settings.teacher.styles[style]);
  return {
    demonstrate: (task, random) => {
      const problem = problemOf(task);
      // `drawIndex` gives an index of `weights`, which is as long as `styles`.
      const style = styles[drawIndex(weights, random)] as Style;
      return WRITERS[style](problem, random, settings);
    },
  };
}

/** "3+4=7\ncheck 3+4=7 ok\n7-9=8\n</think>\n\n\boxed{8}" */
function longChain(problem: Problem, random: Random, { minSteps, modulus, teacher }: Settings): string {
  const { errorRate } = teacher;
  // The schema wants a rate for every number of operations that its tasks have.
  const rate = typeof errorRate === "number" ? errorRate : errorRate[problem.rest.length - minSteps]!;
  const { steps, answer } = work(problem, random, modulus, rate);
  const lines = steps.flatMap((step) => (random.uniform() < teacher.repeat ? [step, `check ${step} ok`] : [step]));
  return `${lines.join("\n")}\n</think>\n\n\\boxed{${answer}}`;
}

/** "3+4=7 7-9=8 \boxed{8}" */
function shortWorking(problem: Problem, random: Random, { modulus, teacher }: Settings): string {
  const { steps, answer } = work(problem, random, modulus, teacher.shortErrorRate);
  return `${steps.join(" ")} \\boxed{${answer}}`;
}

/** "\boxed{8}" */
function bareAnswer(problem: Problem, random: Random, { modulus, teacher }: Settings): string {
  return `\\boxed{${slip(valueOf(problem, modulus), random, modulus, teacher.directErrorRate)}}`;
}

/** All steps as they are written, "3+4=7", and the value that the last one arrives at. */
function work(
  { first, rest }: Problem,
  random: Random,
  modulus: number,
  errorRate: number,
): { steps: string[]; answer: number } {
  let answer = first;
  const steps = rest.map(([operation, right]) => {
    const left = answer;
    answer = slip(apply(left, operation, right, modulus), random, modulus, errorRate);
    return `${left}${operation}${right}=${answer}`;
  });
  return { steps, answer };
}

/** The value, or with probability `errorRate` another one, each equally likely. */
function slip(value: number, random: Random, modulus: number, errorRate: number): number {
  return random.uniform() < errorRate ? (value + random.integer(1, modulus)) % modulus : value;
}

function problemOf({ id, meta }: Task): Problem {
  const text = String(meta["problem"]);
  const problem = parseProblem(text);
  if (problem === undefined) throw errors.notArithmetic({ taskId: id, found: text });
  return problem;
}
