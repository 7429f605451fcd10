import type { Teacher } from "@troupe/core/sdk";
import { problemTextOf, workedTeacher } from "../procedural/worked-teacher.js";
import { parseFormula, valueOf } from "./formula.js";
import type { Settings } from "./settings.js";

/** Evaluates from the inside out, a connective a line; a slip is in the last one, so that it always shows. */
export function formulaTeacher({ teacher }: Settings): Teacher {
  return workedTeacher("boolean-evaluation", teacher.errorRate, (task, isRight) => {
    const formula = parseFormula(problemTextOf(task) ?? "");
    if (formula === undefined) return undefined;
    const steps: { readonly step: string; readonly value: boolean }[] = [];
    const answer = valueOf(formula, (step, value) => steps.push({ step, value })) === isRight;
    const lines = steps.map(({ step, value }, index) => `${step} = ${index === steps.length - 1 ? answer : value}`);
    return { lines, answer: String(answer) };
  });
}
