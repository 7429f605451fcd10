import { deriveKey, Random, type Split, type Task, type Taskset } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { drawProblem, splitOf, textOf, valueOf, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";
import { drawIndex } from "./weighted-choice.js";

/** Draws without a new problem after which a number of operations counts as used up. */
const MAX_DRAWS = 5000;

/**
 * The train split: endless unless `trainTasks` bounds it, every task a function of seed and index alone.
 *
 * @throws PROBLEMS_USED_UP when a drawn number of operations has no problem in the split
 */
export function trainTaskset(settings: Settings, seed: number): Taskset {
  return {
    size: settings.trainTasks ?? Infinity,
    at: (index) => {
      const random = new Random(deriveKey(seed, "arithmetic/train", index));
      const steps = drawSteps(settings, random);
      const problem = drawFrom("train", settings, steps, random, new Set());
      if (problem === undefined) throw errors.problemsUsedUp({ split: "train", steps });
      return taskOf(problem, steps, `train/${index}`, settings);
    },
  };
}

/**
 * The eval split: a fixed list of distinct problems, the same for every seed, in an order whose every beginning has about
 * the wanted mixture of difficulties.
 *
 * @throws PROBLEMS_USED_UP when it would be empty
 */
export function evalTaskset(settings: Settings): Taskset {
  const random = new Random(deriveKey(0, "arithmetic/eval"));
  const seen = new Set<string>();
  const usedUp = new Set<number>();
  const tasks: Task[] = [];
  for (let draw = 0; draw < settings.evalTasks; draw++) {
    const steps = drawSteps(settings, random);
    if (usedUp.has(steps)) continue;
    const problem = drawFrom("eval", settings, steps, random, seen);
    if (problem === undefined) {
      usedUp.add(steps);
      continue;
    }
    seen.add(textOf(problem));
    tasks.push(taskOf(problem, steps, `eval/${tasks.length}`, settings));
  }
  if (tasks.length === 0) throw errors.problemsUsedUp({ split: "eval", steps: settings.minSteps });
  // The size is checked by whoever asks for an index.
  return { size: tasks.length, at: (index) => tasks[index] as Task };
}

function drawSteps({ minSteps, maxSteps, weights }: Settings, random: Random): number {
  const weights_D = weights ?? Array.from({ length: maxSteps - minSteps + 1 }, () => 1);
  return minSteps + drawIndex(weights_D, random);
}

/** A problem of the split that is not in `seen`; undefined when none was found. */
function drawFrom(
  split: Split,
  settings: Settings,
  steps: number,
  random: Random,
  seen: ReadonlySet<string>,
): Problem | undefined {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const problem = drawProblem(random, steps, settings.operations, settings.modulus);
    const text = textOf(problem);
    if (!seen.has(text) && splitOf(text, settings.heldOut) === split) return problem;
  }
  return undefined;
}

function taskOf(problem: Problem, steps: number, id: string, { modulus }: Settings): Task {
  const text = textOf(problem);
  return {
    id,
    domain: "arithmetic",
    prompt: [{ role: "user", content: `${text} mod ${modulus}` }],
    reference: String(valueOf(problem, modulus)),
    meta: { difficulty: steps, problem: text },
  };
}
