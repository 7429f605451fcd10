import type { Random, Task, Teacher } from "@troupe/core/sdk";
import { errors } from "../errors.js";

/** The way to an answer, line by line. */
export interface Working {
  readonly lines: readonly string[];
  readonly answer: string;
}

/**
 * A teacher that writes its working into an open think block and boxes the answer after it:
 *
 *     prefix "<think>\n", response "3+5=8\n8*7=56\n</think>\n\n\boxed{(3+5)*7}"
 *
 * A demonstration is wrong with probability `errorRate`, exactly: 1 − errorRate of all pass.
 *
 * @param work the way to a right or a wrong answer; undefined when the task is none of the environment's
 * @throws TASK_OF_ANOTHER_ENVIRONMENT, from `demonstrate`
 */
export function workedTeacher(
  environment: string,
  errorRate: number,
  work: (task: Task, isRight: boolean, random: Random) => Working | undefined,
): Teacher {
  return {
    demonstrate: (task, random) => {
      const working = work(task, random.uniform() >= errorRate, random);
      if (working === undefined) throw errors.taskOfAnotherEnvironment({ environment, taskId: task.id });
      return {
        prefix: "<think>\n",
        response: `${working.lines.join("\n")}\n</think>\n\n\\boxed{${working.answer}}`,
      };
    },
  };
}

/** `meta.problem` of a task, where it is text. */
export function problemTextOf({ meta }: Task): string | undefined {
  const text = meta["problem"];
  return typeof text === "string" ? text : undefined;
}
