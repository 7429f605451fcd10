import { defineJudge, z } from "@troupe/core/sdk";
import { settingsSchema } from "./settings.js";
import { MATH_VERIFIER, verifyAnswer, verifyMath } from "./verify-math.js";

const text = z.union([z.string(), z.int()]).transform(String);
const { extraction, thinking, percent } = settingsSchema.shape;

/** One case of `troupe verify math`. */
const caseSchema = z
  .strictObject({
    gold: z.union([text, z.array(text)]).describe("The reference, or several of which one must match"),
    response: z.string().optional().describe("What the policy wrote; its answer is extracted"),
    answer: text.optional().describe("An answer that stands alone; nothing is extracted"),
    assistantPrefix: z.string().default("").describe("What the prompt wrote into the assistant's turn before it"),
    options: z
      .strictObject({ extraction, thinking, percent })
      .prefault({})
      .describe("As in the environment's settings"),
  })
  .refine((one) => (one.response === undefined) !== (one.answer === undefined), {
    error: 'one of "response" and "answer" is wanted',
  });

/** The math checker for single cases. */
export const mathJudge = defineJudge({
  caseSchema,
  open: async () => ({
    ...MATH_VERIFIER,
    atOnce: 1,
    judge({ gold, response, answer, assistantPrefix, options }, { explain = false } = {}) {
      const how = {
        extraction: { mode: options.extraction, thinking: options.thinking },
        percent: options.percent,
        explain,
      };
      return answer === undefined
        ? verifyMath(gold, { assistantPrefix, response: response ?? "" }, how)
        : verifyAnswer(gold, answer, how);
    },
    close: async () => {},
  }),
});
