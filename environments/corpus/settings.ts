import { z } from "@troupe/core/sdk";

const share = z.number().min(0).max(1);
const field = z.string().min(1);

const data = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe(
      "A .jsonl, .ndjson or .parquet file of documents, a .txt or .md file that is one, or a folder of such texts; a relative path starts where the config file lies",
    ),
  fields: z
    .strictObject({
      id: field.optional().describe('Names the document; absent takes "id", and file and row where there is none'),
      text: field.default("text").describe("What is learned: tasks stand in it"),
      context: field
        .optional()
        .describe("What comes before it, for example the problem that the text solves: given, never asked for"),
    })
    .prefault({})
    .describe("Names of the columns"),
  onBadRow: z
    .enum(["stop", "skip"])
    .default("stop")
    .describe("What happens at a row that cannot be used: the run does not start, or the row is left out"),
  limit: z.int().min(1).optional().describe("Only this many documents, from the top; absent takes all"),
});

const worked = z.strictObject({
  documents: z.int().min(1).default(2000).describe("Documents of the train split"),
  minSteps: z.int().min(1).default(1).describe("Operations of the easiest problems"),
  maxSteps: z.int().min(1).max(16).default(4).describe("Operations of the hardest"),
  modulus: z.int().min(2).max(10).default(10).describe("The running value is taken modulo this; operands lie below it"),
});

const teacher = z.strictObject({
  read: share
    .default(0.2)
    .describe("Share of demonstrations that are raw texts, which teach to predict without thinking"),
  marked: z
    .number()
    .min(0)
    .lt(1)
    .default(0.8)
    .describe(
      "Share of worked answers at results and choices of words, which worked text marks; others are at any token",
    ),
  errorRate: share.default(0.15).describe("Probability that a step of a worked chain is wrong, and is carried on"),
  repeat: share.default(0.5).describe("Probability that a line of thinking is followed by one that adds nothing"),
  budget: z
    .strictObject({
      instruction: z
        .string()
        .includes("{budget}")
        .describe("Stands on a line of its own below the prompt, a number in place of {budget}"),
      min: z.int().min(1).describe("Smallest number"),
      max: z.int().min(1).describe("Largest"),
      share: share.default(0.5).describe("Share of the answers that are demonstrated with it"),
    })
    .optional()
    .describe(
      "Shows an instruction that a method will add to prompts, so that it is no news to the policy; not obeyed",
    ),
});

/** Settings of the corpus environment. */
export const settingsSchema = z
  .strictObject({
    data: data.optional().describe("The documents; absent makes worked arithmetic text"),
    worked: worked.prefault({}).describe("The text that is made where there is no data"),
    heldOut: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.1)
      .describe(
        "Share of the documents that is held out, decided by a hash of the context, or of the text without one",
      ),
    passageTokens: z
      .int()
      .min(16)
      .default(512)
      .describe("Tokens of a passage, context included; longer documents are cut, and a task sees its passage alone"),
    thresholds: z
      .tuple([z.number().min(0), z.number().min(0), z.number().min(0)])
      .default([0.5, 1, 1.5])
      .describe(
        "Entropies above which a token is easy, medium and hard, nats; no task stands at tokens below the first",
      ),
    entropy: z
      .strictObject({
        policy: z
          .string()
          .optional()
          .describe("Folder of the policy that measures entropies; absent takes the one that the run begins with"),
        topK: z.int().min(1).default(16).describe("Most probable tokens that count"),
        renormalise: z.boolean().default(false).describe("Whether their probabilities are scaled to sum to 1"),
      })
      .prefault({})
      .describe("How the difficulty of a token is measured"),
    match: z
      .enum(["exact", "prefix"])
      .default("exact")
      .describe("What passes: the very next token or any number of whole next tokens"),
    prompt: z
      .enum(["next-token-1", "bare"])
      .default("next-token-1")
      .describe(
        'What the policy is told: version 1 of the instruction, or the text alone ("bare"), for a policy that knows',
      ),
    evalTasks: z.int().min(1).default(300).describe("Held-out tasks at most, tiers by turns"),
    evalTiers: z
      .enum(["disjoint", "nested"])
      .default("disjoint")
      .describe("Whether held-out tokens of a harder tier count for the easier ones too"),
    teacher: teacher.prefault({}).describe("How demonstrations are written"),
  })
  .refine(({ worked: { minSteps, maxSteps } }) => minSteps <= maxSteps, {
    path: ["worked", "maxSteps"],
    message: "must be at least minSteps",
  })
  .refine(({ thresholds: [easy, medium, hard] }) => easy < medium && medium < hard, {
    path: ["thresholds"],
    message: "must rise",
  })
  .refine(({ teacher: { budget } }) => budget === undefined || budget.min <= budget.max, {
    path: ["teacher", "budget", "max"],
    message: "must be at least min",
  });

/** Checked settings of the corpus environment. */
export type Settings = z.output<typeof settingsSchema>;
