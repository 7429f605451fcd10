import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { z } from "zod";
import type { ExperimentConfig } from "../src/config/experiment-config.js";
import { runConfigSchema, type RunConfig } from "../src/config/run-config.js";
import { describeProblems } from "../src/config/describe-problems.js";
import { errors } from "../src/errors.js";
import { writeFileAtomically } from "../src/store/durable-files.js";
import type { RunDirectory } from "../src/store/run-directory.js";

/** What a command that trains was asked to do, fully resolved. */
export type Job =
  | { readonly kind: "run"; readonly name: string; readonly config: RunConfig; readonly baseDirectory: string }
  | {
      readonly kind: "experiment";
      readonly name: string;
      readonly experiment: ExperimentConfig;
      readonly baseDirectory: string;
    };

const jobSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("run"), name: z.string(), baseDirectory: z.string(), config: runConfigSchema }),
  z.strictObject({
    kind: z.literal("experiment"),
    name: z.string(),
    baseDirectory: z.string(),
    experiment: z.strictObject({
      base: runConfigSchema,
      arms: z.array(z.strictObject({ name: z.string(), config: runConfigSchema, startFrom: z.string().optional() })),
    }),
  }),
]);

/** Writes `config.resolved.yaml`: every setting with its value, so that a resumed run cannot become another. */
export async function writeJob(directory: RunDirectory, job: Job): Promise<void> {
  await writeFileAtomically(directory.config, stringify(job, { lineWidth: 0, aliasDuplicateObjects: false }));
}

/**
 * Reads what a run folder was made for.
 *
 * @throws RUN_CONFIG_UNREADABLE
 */
export function readJobOf(directory: RunDirectory): Job {
  let value: unknown;
  try {
    value = parse(readFileSync(directory.config, "utf8"));
    return jobSchema.parse(value);
  } catch (cause) {
    const problem =
      cause instanceof z.ZodError
        ? describeProblems(cause, { schema: jobSchema, value, place: () => "" }).join("; ")
        : String(cause);
    throw errors.runConfigUnreadable({ path: directory.config, problem }, cause);
  }
}
