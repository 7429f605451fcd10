import { dirname, join } from "node:path";
import type { z } from "zod";
import { errors } from "../errors.js";
import { loadDefinition } from "../environments/environment-loader.js";
import type { Judge } from "../environments/judge.js";

/** An environment's judge, open; whoever opened it closes it. */
export interface OpenJudge {
  readonly environment: string;
  readonly caseSchema: z.ZodType;
  readonly judge: Judge;
  /** Where the labelled cases lie that measure it, if there are any. */
  readonly calibrationPath: string;
}

/**
 * Opens the judge of an environment, named as in a config.
 *
 * @throws MODULE_NOT_FOUND, MODULE_BUILD_FAILED, MODULE_LOAD_FAILED, ENVIRONMENT_NOT_VALID, JUDGE_MISSING
 */
export async function openJudge(environment: string, baseDirectory: string): Promise<OpenJudge> {
  const { definition, bundle } = await loadDefinition(environment, baseDirectory);
  if (!("judge" in definition) || definition.judge === undefined) throw errors.judgeMissing({ environment });
  return {
    environment: definition.name,
    caseSchema: definition.judge.caseSchema,
    judge: await definition.judge.open(),
    calibrationPath: join(dirname(bundle.path), "calibration.jsonl"),
  };
}
