import { defineJudge, z } from "@troupe/core/sdk";
import { settingsSchema } from "./settings.js";
import { SymbolicStep } from "./symbolic-step.js";
import { MATH_VERIFIER, verifyAnswer, verifyMath } from "./verify-math.js";
import { verifySymbolically } from "./verify-symbolically.js";

const text = z.union([z.string(), z.int()]).transform(String);
const { extraction, thinking, percent, symbolic } = settingsSchema.shape;

/** One case of `troupe verify math`. */
const caseSchema = z
  .strictObject({
    gold: z.union([text, z.array(text)]).describe("The reference, or several of which one must match"),
    response: z.string().optional().describe("What the policy wrote; its answer is extracted"),
    answer: text.optional().describe("An answer that stands alone; nothing is extracted"),
    assistantPrefix: z.string().default("").describe("What the prompt wrote into the assistant's turn before it"),
    options: z
      .strictObject({ extraction, thinking, percent, symbolic })
      .prefault({})
      .describe("As in the environment's settings"),
  })
  .refine((one) => (one.response === undefined) !== (one.answer === undefined), {
    error: 'one of "response" and "answer" is wanted',
  });

/** The math checker for single cases. */
export const mathJudge = defineJudge({
  caseSchema,
  async open() {
    const steps = new Map<string, SymbolicStep>();
    return {
      ...MATH_VERIFIER,
      atOnce: 1,
      judge({ gold, response = "", answer, assistantPrefix, options }, { explain = false } = {}) {
        const { extraction: mode, thinking: due, percent: unit, symbolic: settings } = options;
        const how = { extraction: { mode, thinking: due }, percent: unit, explain };
        const text = { assistantPrefix, response };
        if (settings === undefined)
          return answer === undefined ? verifyMath(gold, text, how) : verifyAnswer(gold, answer, how);
        const key = JSON.stringify(settings);
        const step = steps.get(key) ?? new SymbolicStep(settings);
        steps.set(key, step);
        return verifySymbolically(gold, answer === undefined ? { text } : { answer }, step, how);
      },
      async close() {
        for (const step of steps.values()) await step.close();
      },
    };
  },
});
