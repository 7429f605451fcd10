import { placeOf, type Demonstration, type Message, type Random, type Task, type Teacher } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import type { Settings } from "./settings.js";

/** What a thinker writes where there is nothing to work out. */
const FILLER = "go on";

/**
 * Teaches to read and to reason: raw texts, and worked answers "<think>\n", "3+4=7\ncheck 3+4=7 ok\n7-9=8\n</think>\n\n"
 * and the token in a box. Where the text's maker knows no steps, thinking is lines that say nothing. Steps go wrong at a
 * set rate, a wrong value is carried on, and repeated lines mend nothing: so there is something left to learn.
 *
 * @throws NOT_A_PLACE, from `demonstrate`, for a task of another environment
 */
export function corpusTeacher({ teacher, worked: { modulus } }: Settings): Teacher {
  return {
    read: (task, random) => (random.uniform() < teacher.read ? placeOf(task)?.text : undefined),
    demonstrate: (task, random) => {
      if (!placeOf(task)) throw errors.notAPlace({ taskId: task.id });
      const steps = stepsOf(task);
      const { lines, answer } =
        steps !== undefined ? worked(steps, modulus, random, teacher) : idle(task.reference, random, teacher);
      return {
        ...instructed(task, random, teacher),
        prefix: "<think>\n",
        response: `${lines.join("\n")}\n</think>\n\n\\boxed{${answer}}`,
      };
    },
  };
}

type Style = Settings["teacher"];

function worked(steps: readonly string[], modulus: number, random: Random, { errorRate, repeat }: Style) {
  let value: number | undefined;
  const lines = steps.flatMap((step) => {
    const [, first = "0", operation = "+", second = "0"] = /^(\d)([-+])(\d)=/.exec(step) ?? [];
    const left = value ?? Number(first);
    const right = operation === "+" ? left + Number(second) : left - Number(second) + modulus;
    value = (random.uniform() < errorRate ? right + random.integer(1, modulus) : right) % modulus;
    const line = `${left}${operation}${second}=${value}`;
    return random.uniform() < repeat ? [line, `check ${line} ok`] : [line];
  });
  return { lines, answer: String(value ?? 0) };
}

function idle(reference: string, random: Random, { repeat }: Style) {
  const lines = [FILLER];
  while (lines.length < 8 && random.uniform() < repeat) lines.push(FILLER);
  return { lines, answer: reference };
}

function instructed(task: Task, random: Random, { budget }: Style): Pick<Demonstration, "prompt"> {
  const last = task.prompt.at(-1);
  if (!budget || !last || random.uniform() >= budget.share) return {};
  const sentence = budget.instruction.replaceAll("{budget}", String(random.integer(budget.min, budget.max + 1)));
  const prompt: readonly Message[] = [
    ...task.prompt.slice(0, -1),
    { ...last, content: `${last.content}\n${sentence}` },
  ];
  return { prompt };
}

function stepsOf({ meta }: Task): readonly string[] | undefined {
  const steps = meta["steps"];
  return Array.isArray(steps) ? steps.filter((step) => typeof step === "string") : undefined;
}
