import type { Random, Teacher } from "@troupe/core/sdk";
import { problemTextOf, workedTeacher } from "../procedural/worked-teacher.js";
import { parseExpression, rationalText, textOf, valueOf, type Expression } from "./expression.js";
import { drawSolution, problemOf, type Problem } from "./problem.js";
import type { Settings } from "./settings.js";

/** Works a solution out step by step; a wrong demonstration works out a calculation that arrives elsewhere. */
export function countdownTeacher({ teacher }: Settings): Teacher {
  return workedTeacher("countdown", teacher.errorRate, (task, isRight, random) => {
    const solution = parseExpression(task.reference);
    const problem = solution && problemOf(solution);
    if (problem === undefined || problemTextOf(task)?.endsWith(` = ${problem.target}`) !== true) return undefined;
    const expression = isRight ? problem.solution : drawMiss(random, problem);
    return { lines: stepsOf(expression), answer: textOf(expression) };
  });
}

/** Any way to another number; there is one, as the last step alone can go two ways. */
function drawMiss(random: Random, { numbers, target }: Problem): Expression {
  for (;;) {
    const { value, expression } = drawSolution(random, numbers);
    if (value !== target) return expression;
  }
}

/** "3+5=8", "8*7=56" */
function stepsOf(expression: Expression): string[] {
  if ("number" in expression) return [];
  const { left, right, operation } = expression;
  return [...stepsOf(left), ...stepsOf(right), `${worth(left)}${operation}${worth(right)}=${worth(expression)}`];
}

function worth(expression: Expression): string {
  const value = valueOf(expression);
  // Every calculation that comes here has a value: the reference was evaluated, the miss was drawn with one.
  return value === undefined ? "" : rationalText(value);
}
