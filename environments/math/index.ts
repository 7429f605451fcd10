import { defineEnvironment } from "@troupe/core/sdk";
import { settingsSchema } from "./settings.js";
import { problemTaskset } from "./taskset.js";
import { evaluatedOnly } from "./evaluated-only.js";
import { mathJudge } from "./judge.js";
import { calculationTeacher } from "./teacher.js";
import { MATH_VERIFIER, verifyMath } from "./verify-math.js";

export default defineEnvironment({
  name: "math",
  version: "1.0.0",
  description: "Problems with a final answer from a JSON Lines or Parquet file, checked by their mathematics",
  config: settingsSchema,
  taskset: (settings, split, context) => problemTaskset(settings, split, context.baseDirectory),
  verifier: ({ extraction, thinking, percent, view }) => ({
    name: MATH_VERIFIER.verifier,
    version: MATH_VERIFIER.version,
    verify: (task, { assistantPrefix, responseText }) => {
      const verdict = verifyMath(
        task.reference,
        { assistantPrefix, response: responseText },
        { taskId: task.id, extraction: { mode: extraction, thinking }, percent },
      );
      return view === "calculations" ? evaluatedOnly(verdict) : verdict;
    },
  }),
  teacher: calculationTeacher,
  judge: mathJudge,
});

export { MATH_VERIFIER, verifyAnswer, verifyMath, type MathOptions } from "./verify-math.js";
