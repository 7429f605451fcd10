import { defineEnvironment } from "@troupe/core/sdk";
import { settingsSchema } from "./settings.js";
import { problemTaskset } from "./taskset.js";
import { evaluatedOnly } from "./evaluated-only.js";
import { mathJudge } from "./judge.js";
import { SymbolicStep } from "./symbolic-step.js";
import { calculationTeacher } from "./teacher.js";
import { recogniseProblems } from "./recognise-problems.js";
import { MATH_VERIFIER, verifyMath } from "./verify-math.js";
import { verifySymbolically } from "./verify-symbolically.js";

export default defineEnvironment({
  name: "math",
  version: "1.0.0",
  description: "Problems with a final answer from a JSON Lines or Parquet file, checked by their mathematics",
  config: settingsSchema,
  taskset: (settings, split, context) => problemTaskset(settings, split, context.baseDirectory),
  verifier({ extraction, thinking, percent, symbolic, view }) {
    const step = symbolic === undefined ? undefined : new SymbolicStep(symbolic);
    return {
      name: MATH_VERIFIER.verifier,
      version: MATH_VERIFIER.version,
      verify(task, { assistantPrefix, responseText }) {
        const text = { assistantPrefix, response: responseText };
        const options = { taskId: task.id, extraction: { mode: extraction, thinking }, percent };
        if (view === "calculations") return evaluatedOnly(verifyMath(task.reference, text, options));
        return step === undefined
          ? verifyMath(task.reference, text, options)
          : verifySymbolically(task.reference, { text }, step, options);
      },
    };
  },
  teacher: calculationTeacher,
  judge: mathJudge,
  recognise: recogniseProblems,
});

export { SymbolicStep, type SymbolicSettings } from "./symbolic-step.js";
export { verifySymbolically } from "./verify-symbolically.js";
export { MATH_VERIFIER, verifyAnswer, verifyMath, type MathOptions } from "./verify-math.js";
