import type { Demonstration, Random, Task, Teacher } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import type { Settings } from "./settings.js";

/**
 * Demonstrates single calculations, wrong at a known rate: "<think>\n" and then "48/2=24\n</think>\n\n\boxed{24}". A
 * wrong result differs in one digit, and is then the answer too.
 *
 * @throws NOT_TEACHABLE when the settings' view is not "calculations": whole problems have no worked steps to write
 */
export function calculationTeacher({ view, teacher }: Settings): Teacher {
  if (view !== "calculations") throw errors.notTeachable({ view });
  return {
    demonstrate: (task: Task, random: Random): Demonstration => {
      const result = random.uniform() < teacher.errorRate ? withWrongDigit(task.reference, random) : task.reference;
      const left = task.prompt[0]?.content ?? "";
      return { prefix: "<think>\n", response: `${left}=${result}\n</think>\n\n\\boxed{${result}}` };
    },
  };
}

function withWrongDigit(number: string, random: Random): string {
  const digits = [...number].flatMap((character, index) => (/\d/.test(character) ? [index] : []));
  const at = random.pick(digits);
  const wrong = (Number(number[at]) + random.integer(1, 10)) % 10;
  return number.slice(0, at) + String(wrong) + number.slice(at + 1);
}
