import { defineJudge, z, type JudgeOptions, type Verdict } from "@troupe/core/sdk";
import { settingsSchema } from "./settings.js";
import { SymbolicStep } from "./symbolic-step.js";
import { MATH_VERIFIER, verifyAnswer, verifyMath } from "./verify-math.js";
import { verifySymbolically } from "./verify-symbolically.js";

const text = z.union([z.string(), z.int()]).transform(String);
const { extraction, thinking, percent, symbolic } = settingsSchema.shape;

/** One case of `troupe verify math`. */
const caseSchema = z
  .strictObject({
    gold: z
      .union([text, z.array(text)], { error: "a text or a whole number is wanted, or a list of them" })
      .describe("The reference, or several of which one must match"),
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
    const judge = (
      { gold, response = "", answer, assistantPrefix, options }: z.output<typeof caseSchema>,
      { explain = false }: JudgeOptions = {},
    ): Verdict | Promise<Verdict> => {
      const { extraction: mode, thinking: due, percent: unit, symbolic: settings } = options;
      const how = { extraction: { mode, thinking: due }, percent: unit, explain };
      const text = { assistantPrefix, response };
      if (settings === undefined)
        return answer === undefined ? verifyMath(gold, text, how) : verifyAnswer(gold, answer, how);
      const key = JSON.stringify(settings);
      const step = steps.get(key) ?? new SymbolicStep(settings);
      steps.set(key, step);
      return verifySymbolically(gold, answer === undefined ? { text } : { answer }, step, how);
    };
    return {
      ...MATH_VERIFIER,
      atOnce: 1,
      judge,
      judgeAnswer({ groundTruth: gold, response, assistantPrefix, meta: { options } }) {
        const one = caseSchema.safeParse({ gold, response, assistantPrefix, ...(options ? { options } : {}) });
        return one.success
          ? judge(one.data)
          : { kind: "error", reason: `case-not-valid: ${problemsOf(one.error)}`, ...MATH_VERIFIER, ms: 0 };
      },
      async close() {
        for (const step of steps.values()) await step.close();
      },
    };
  },
});

/** What keeps an answer from being a case, in the words of a service's request. */
function problemsOf({ issues }: z.ZodError): string {
  return issues
    .map(({ path: [first = "", ...rest], message }) => {
      const field = first === "gold" ? "ground_truth" : first === "options" ? "meta.options" : String(first);
      return `${[field, ...rest].join(".")}: ${message}`;
    })
    .join("; ");
}
