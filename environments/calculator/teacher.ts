import type { DemonstratedTurn, Random, Teacher } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { problemTextOf } from "../procedural/worked-teacher.js";
import { calculate } from "./calculate.js";
import { parseProblem, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

/**
 * Has the calculator do one operation after the other and boxes the last result. With probability `errorRate` it copies a
 * number wrongly on the way, carries on, and ends wrong.
 *
 * @throws TASK_OF_ANOTHER_ENVIRONMENT, from `demonstrate`
 */
export function calculatorTeacher({ teacher }: Settings): Teacher {
  return {
    demonstrate: (task, random) => {
      const problem = parseProblem(problemTextOf(task) ?? "");
      if (problem === undefined) throw errors.taskOfAnotherEnvironment({ environment: "calculator", taskId: task.id });
      const isRight = random.uniform() >= teacher.errorRate;
      const right = turnsOf(problem);
      if (isRight) return demonstration(right);
      const wrong = turnsOf(withSlip(problem, random));
      // Some slips do no harm: what is multiplied by 0 later, or made up for.
      return demonstration(
        wrong.answer === right.answer ? { ...right, answer: String(BigInt(right.answer) + 1n) } : wrong,
      );
    },
  };
}

interface Working {
  readonly calls: readonly { readonly call: string; readonly result: string }[];
  readonly answer: string;
}

function turnsOf({ first, rest }: Problem): Working {
  let answer = String(first);
  const calls = rest.map(([operation, right]) => {
    const call = `${answer}${operation}${right}`;
    answer = calculate(call);
    return { call, result: answer };
  });
  return { calls, answer };
}

function demonstration({ calls, answer }: Working) {
  const said = [...calls.map(({ call }) => `</think>\n\n<calc>${call}</calc>`), `</think>\n\n\\boxed{${answer}}`];
  const turns = calls.map(({ result }, index): DemonstratedTurn => {
    return { messages: [{ role: "tool", content: result }], response: said[index + 1] ?? "" };
  });
  return { prefix: "<think>\n", response: said[0] ?? "", turns };
}

/** The problem with one number, the first one aside, read as another. */
function withSlip({ first, rest }: Problem, random: Random): Problem {
  const slip = random.integer(0, rest.length);
  return {
    first,
    rest: rest.map(([operation, right], index) =>
      index === slip ? [operation, right + random.pick([-1, 1, 10])] : [operation, right],
    ),
  };
}
