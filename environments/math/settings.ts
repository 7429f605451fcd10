import { z } from "@troupe/core/sdk";

const field = z.string().min(1);

/** Which column of the file holds what. */
const fields = z.strictObject({
  id: field
    .optional()
    .describe(
      'Names the task, text or a number; absent takes "id", and the file\'s name with the row where there is none',
    ),
  problem: field.optional().describe('The question, text; absent takes "problem", or else "question"'),
  answer: field
    .optional()
    .describe(
      'The reference, text or a number; absent takes "answer". Of a worked solution counts what follows "####", or its last box',
    ),
  calculations: field
    .default("calculations")
    .describe(
      'List of texts such as "48/2=24", for the view of that name; without it, marks such as <<48/2=24>> in the answer',
    ),
});

/** Where the problems come from. */
const data = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe("A .jsonl, .ndjson or .parquet file; a relative path starts where the config file lies"),
  fields: fields.prefault({}).describe("Names of the columns"),
  onBadRow: z
    .enum(["stop", "skip"])
    .default("stop")
    .describe("What happens at a row that cannot be used: the run does not start, or the row is left out and counted"),
  limit: z.int().min(1).optional().describe("Only this many usable rows, from the top; absent takes all"),
  heldOut: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.1)
    .describe("Share of the tasks in the eval split, decided by a hash of id or calculation"),
});

const calculations = z.strictObject({
  operators: z
    .array(z.enum(["+", "-", "*", "/"]))
    .min(1)
    .default(["+", "-", "*", "/"])
    .describe("Operators that may occur"),
  maxOperators: z.int().min(1).default(1).describe("Operators in one calculation at most"),
  maxOperand: z.number().min(1).default(99).describe("Largest operand"),
  maxResult: z.number().min(0).default(999).describe("Largest size of the result"),
  integersOnly: z.boolean().default(true).describe("Leaves out calculations with a decimal point on either side"),
});

const teacher = z.strictObject({
  errorRate: z.number().min(0).max(1).default(0.4).describe("Probability that a demonstrated result is wrong"),
});

/** Settings of the math environment. */
export const settingsSchema = z.strictObject({
  data: data.describe("The problem set"),
  view: z
    .enum(["problems", "calculations"])
    .default("problems")
    .describe("Whole problems, or the single calculations of their solutions, each of them once"),
  calculations: calculations.prefault({}).describe("Which calculations the view of that name takes"),
  teacher: teacher.prefault({}).describe("How demonstrations of calculations are written"),
  instruction: z
    .string()
    .optional()
    .describe(
      "Stands behind the problem after a space; absent asks for steps and a box in view problems, and for nothing in view calculations",
    ),
  extraction: z
    .enum(["boxed", "boxed-or-phrase"])
    .default("boxed")
    .describe(
      'Where the answer may stand: in the last box alone, or without one also after "####" and "the answer is"',
    ),
  thinking: z
    .enum(["by-tags", "required"])
    .default("by-tags")
    .describe("When a </think> must come before the answer: if a <think> was opened, or always"),
  symbolic: z
    .strictObject({
      python: z.string().min(1).default("python3").describe("A Python that has SymPy"),
      deadlineMs: z.int().min(100).default(5000).describe("Milliseconds for one comparison"),
    })
    .optional()
    .describe("Asks SymPy about integrals, limits and infinite sums; absent leaves them undecided, which is a fail"),
  percent: z.enum(["unit", "value"]).default("unit").describe("Whether 50 % equals 50 and 0.5, or 0.5 alone"),
});

/** Checked settings of the math environment. */
export type Settings = z.output<typeof settingsSchema>;

/** What stands behind a problem unless the settings say otherwise. Source: AutoThink (arXiv:2505.10832). */
export const INSTRUCTION = "Let's think step by step and output the final answer within \\boxed{}.";
