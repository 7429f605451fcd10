import { z } from "@troupe/core/sdk";
import { limitsSchema } from "./code-case.js";
import { boundarySchema } from "./open-sandbox.js";
import { LANGUAGES } from "./sandbox.js";

const field = z.string().min(1);

/** Which column of the file holds what. */
const fields = z.strictObject({
  id: field
    .optional()
    .describe('Names the task; absent takes "id", and the file\'s name with the row where there is none'),
  prompt: field.optional().describe('The statement, text; absent takes "prompt", "question" or "problem"'),
  tests: field
    .optional()
    .describe('The tests, in any of the forms of the README; absent takes "tests", "calls", "input_output" or "test"'),
  functionName: field
    .optional()
    .describe(
      'The function that tests call; absent takes "entry_point" or "fn_name", and runs from stdin to stdout without',
    ),
  language: field.default("language").describe('"python" or "javascript"; absent in a row is python'),
  prelude: field.optional().describe("Source that stands before every program: imports, given functions"),
});

/** Settings of the code environment. */
export const settingsSchema = z.strictObject({
  data: z
    .strictObject({
      path: z
        .string()
        .min(1)
        .describe("A .jsonl, .ndjson or .parquet file; a relative path starts where the config file lies"),
      fields: fields.prefault({}).describe("Names of the columns"),
      language: z.enum(LANGUAGES).optional().describe("Language of rows that name none; absent is python"),
      onBadRow: z
        .enum(["stop", "skip"])
        .default("stop")
        .describe(
          "What happens at a row that cannot be used: the run does not start, or the row is left out and counted",
        ),
      limit: z.int().min(1).optional().describe("Only this many usable rows, from the top; absent takes all"),
      heldOut: z
        .number()
        .gt(0)
        .lt(1)
        .default(0.1)
        .describe("Share of the tasks in the eval split, decided by a hash of the id"),
    })
    .describe("The problem set"),
  instruction: z
    .string()
    .optional()
    .describe("Stands behind the statement after an empty line; absent asks for a fenced block"),
  sandbox: boundarySchema.describe("Which boundary programs run behind; auto takes the strongest of this machine"),
  mostTests: z.int().min(1).default(20).describe("Tests of a task at most, its first ones"),
  runAll: z
    .boolean()
    .default(false)
    .describe("Runs every test after a failure too, so that parts.passRate is exact; the verdict is the same"),
  limits: limitsSchema
    .prefault({})
    .describe(
      "What a program may take; time_limit_s and memory_limit_mb of a row are taken instead where they are lower",
    ),
});

/** Checked settings of the code environment. */
export type Settings = z.output<typeof settingsSchema>;
