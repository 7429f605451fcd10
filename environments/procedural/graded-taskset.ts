import { deriveKey, Random, type Split, type Task, type Taskset } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import type { Grades } from "./graded-settings.js";
import { drawIndex } from "./weighted-choice.js";

/** Draws without a new problem after which a difficulty counts as used up. */
const MAX_DRAWS = 5000;

/** Problems that are made, not stored, each of a known difficulty. */
export interface Family<Problem> {
  /** Name of the environment, and domain of its tasks. */
  readonly name: string;
  draw(random: Random, difficulty: number): Problem;
  /** The same for problems that are the same but for their wording; decides the split. */
  keyOf(problem: Problem): string;
  taskOf(problem: Problem): {
    readonly prompt: string;
    readonly reference: string;
    /** Goes into `meta.problem`. */
    readonly problem: string;
  };
}

/** The tasks of a split; the train split depends on the seed, the eval split never does. */
export function gradedTaskset<Problem>(family: Family<Problem>, grades: Grades, split: Split, seed: number): Taskset {
  return split === "train" ? trainTaskset(family, grades, seed) : evalTaskset(family, grades);
}

/**
 * The train split: endless unless `trainTasks` bounds it, every task a function of seed and index alone.
 *
 * @throws PROBLEMS_USED_UP when a drawn difficulty has no problem in the split
 */
function trainTaskset<Problem>(family: Family<Problem>, grades: Grades, seed: number): Taskset {
  return {
    size: grades.trainTasks ?? Infinity,
    at: (index) => {
      const random = new Random(deriveKey(seed, `${family.name}/train`, index));
      const difficulty = drawDifficulty(grades, random);
      const problem = drawFrom("train", family, grades, difficulty, random, new Set());
      if (problem === undefined) throw errors.problemsUsedUp({ environment: family.name, split: "train", difficulty });
      return taskOf(family, problem, difficulty, `train/${index}`);
    },
  };
}

/**
 * The eval split: a fixed list of distinct problems, the same for every seed, in an order whose every beginning has about
 * the wanted mixture of difficulties.
 *
 * @throws PROBLEMS_USED_UP when it would be empty
 */
function evalTaskset<Problem>(family: Family<Problem>, grades: Grades): Taskset {
  const random = new Random(deriveKey(0, `${family.name}/eval`));
  const seen = new Set<string>();
  const usedUp = new Set<number>();
  const tasks: Task[] = [];
  for (let draw = 0; draw < grades.evalTasks; draw++) {
    const difficulty = drawDifficulty(grades, random);
    if (usedUp.has(difficulty)) continue;
    const problem = drawFrom("eval", family, grades, difficulty, random, seen);
    if (problem === undefined) {
      usedUp.add(difficulty);
      continue;
    }
    seen.add(family.keyOf(problem));
    tasks.push(taskOf(family, problem, difficulty, `eval/${tasks.length}`));
  }
  if (tasks.length === 0)
    throw errors.problemsUsedUp({ environment: family.name, split: "eval", difficulty: grades.minDifficulty });
  // The size is checked by whoever asks for an index.
  return { size: tasks.length, at: (index) => tasks[index] as Task };
}

/**
 * The split that a problem belongs to. A hash of the problem decides, so none is ever in both, whatever the seed, the
 * settings of difficulty, or how many tasks are drawn.
 *
 * @param heldOut share of all problems in the eval split
 */
export function splitOf(family: string, key: string, heldOut: number): Split {
  return deriveKey(0, `${family}/split`, key)[0] / 2 ** 32 < heldOut ? "eval" : "train";
}

function drawDifficulty({ minDifficulty, maxDifficulty, weights }: Grades, random: Random): number {
  const weights_D = weights ?? Array.from({ length: maxDifficulty - minDifficulty + 1 }, () => 1);
  return minDifficulty + drawIndex(weights_D, random);
}

/** A problem of the split that is not in `seen`; undefined when none was found. */
function drawFrom<Problem>(
  split: Split,
  family: Family<Problem>,
  { heldOut }: Grades,
  difficulty: number,
  random: Random,
  seen: ReadonlySet<string>,
): Problem | undefined {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const problem = family.draw(random, difficulty);
    const key = family.keyOf(problem);
    if (!seen.has(key) && splitOf(family.name, key, heldOut) === split) return problem;
  }
  return undefined;
}

function taskOf<Problem>(family: Family<Problem>, drawn: Problem, difficulty: number, id: string): Task {
  const { prompt, reference, problem } = family.taskOf(drawn);
  return {
    id,
    domain: family.name,
    prompt: [{ role: "user", content: prompt }],
    reference,
    meta: { difficulty, problem },
  };
}
