import { z } from "zod";
import { errors } from "../errors.js";
import type { StepPlan } from "../records/step-plan.js";
import type { HookName, KeepDecision } from "./hooks.js";
import type { LoadedPlugin } from "./plugin-loader.js";
import type { Prompt, SamplingPlan } from "./prompt.js";

const count = z.int().min(1).describe("a whole number of at least 1");
const share = z.number().min(0).max(1).describe("a number in [0, 1]");
const finite = z.number().describe("a finite number");
const plainData = z.record(z.string(), z.json()).describe("an object of plain data");

const sampling = {
  maxTokens: count,
  topP: share,
  topK: z.int().min(0).describe("a whole number of at least 0"),
  minP: share,
};

/** What each field of a step's plan has to be; the descriptions are what errors say. */
const PLAN_FIELDS: Readonly<Record<keyof StepPlan, z.ZodType>> = {
  ...sampling,
  stage: z.string().describe("a text"),
  promptsPerStep: count,
  groupSize: z.int().min(2).describe("a whole number of at least 2"),
  maxRounds: count,
  temperature: z.number().positive().describe("a number above 0"),
  learningRate: z.number().min(0).describe("a number of at least 0"),
  updatesPerBatch: count,
  resetOptimizer: z.boolean().describe("true or false"),
  parameters: z.record(z.string(), plainData).describe("an object of plain data for each plugin"),
};

const PROMPT_FIELDS: Readonly<Record<keyof Prompt, z.ZodType>> = {
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant", "tool"]), content: z.string() }))
    .describe("a list of messages with role and content"),
  assistantPrefix: z.string().describe("a text"),
  forcedPrefix: z
    .strictObject({ text: z.string(), logprob: z.number().max(0).exactOptional() })
    .describe("a text, with a logprob of at most 0 if any"),
  annotations: plainData,
};

const SAMPLING_FIELDS: Readonly<Record<keyof SamplingPlan, z.ZodType>> = {
  ...sampling,
  temperature: z.number().min(0).describe("a number of at least 0"),
  logitBias: z.record(z.string().regex(/^\d+$/), finite).describe("token ids with finite numbers"),
  stopStrings: z.array(z.string().min(1)).describe("a list of texts"),
  budgetRules: z
    .array(
      z.strictObject({
        limit: z.int().min(0),
        from: z.string().min(1).exactOptional(),
        until: z.string().min(1),
        inject: z.string().min(1),
      }),
    )
    .describe("a list of rules with limit, until, inject and maybe from"),
};

const FIELDS = { plan: PLAN_FIELDS, format: PROMPT_FIELDS, sampling: SAMPLING_FIELDS };

const DECISIONS: Readonly<Record<KeepDecision, true>> = { keep: true, drop: true, resample: true };

/** The error for a result that cannot be used. */
export function notValid(loaded: LoadedPlugin, hook: HookName, step: number, problem: string): Error {
  const { name, version } = loaded.plugin;
  return errors.hookResultNotValid({ plugin: name, version, hook, step, problem });
}

/**
 * Refuses a change of plan, prompt or sampling plan with a field that does not exist or does not hold what it must.
 * A field that is there and undefined is refused too: laid over a plan it would erase what it does not name.
 *
 * @throws HOOK_RESULT_NOT_VALID
 */
export function checkPatch(loaded: LoadedPlugin, hook: keyof typeof FIELDS, step: number, patch: unknown): void {
  if (patch === undefined) return;
  if (!isObject(patch))
    throw notValid(loaded, hook, step, `it is ${shown(patch)}, an object of changed fields or undefined is wanted`);
  const fields: Readonly<Record<string, z.ZodType>> = FIELDS[hook];
  for (const [name, value] of Object.entries(patch)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field)
      throw notValid(loaded, hook, step, `there is no field "${name}", only ${Object.keys(fields).sort().join(", ")}`);
    if (!field.safeParse(value).success)
      throw notValid(loaded, hook, step, `field "${name}" is ${shown(value)}, ${field.description} is wanted`);
  }
}

/**
 * Refuses fields of a prompt that the `format` hook does not declare: the planner finds two writers of one field by
 * their declarations alone.
 *
 * @throws HOOK_RESULT_NOT_VALID
 */
export function checkWrites(loaded: LoadedPlugin, step: number, changes: Partial<Prompt> | undefined): void {
  const declared = loaded.plugin.hooks.format?.writes ?? [];
  for (const name of Object.keys(changes ?? {})) {
    const field = `prompt.${name}`;
    if (name !== "annotations" && !declared.includes(field))
      throw notValid(loaded, "format", step, `it changes "${name}", "${field}" among the hook's writes is wanted`);
  }
}

/**
 * Refuses a temperature of its own for one training sample: the learner scores a whole update at the plan's.
 *
 * @throws HOOK_RESULT_NOT_VALID
 */
export function checkTemperature(
  loaded: LoadedPlugin,
  step: number,
  changes: Partial<SamplingPlan> | undefined,
  planned: number,
): void {
  const found = changes?.temperature ?? planned;
  if (found === planned) return;
  const problem = `field "temperature" is ${found}, in training the plan's ${planned} is wanted; a "plan" hook sets another`;
  throw notValid(loaded, "sampling", step, problem);
}

/**
 * Refuses budget rules whose `from` or `until` is not one token: native code compares ids.
 *
 * @param countTokens tokens of a text
 * @throws HOOK_RESULT_NOT_VALID
 */
export function checkBudgetRules(
  loaded: LoadedPlugin,
  step: number,
  changes: Partial<SamplingPlan> | undefined,
  countTokens: (text: string) => number,
): void {
  for (const { from, until } of changes?.budgetRules ?? [])
    for (const text of [until, ...(from === undefined ? [] : [from])]) {
      const tokens = countTokens(text);
      if (tokens === 1) continue;
      const problem = `field "budgetRules" names ${shown(text)}, which is ${tokens} tokens, a text of one token is wanted`;
      throw notValid(loaded, "sampling", step, problem);
    }
}

/** Refuses what is no decision on a group. @throws HOOK_RESULT_NOT_VALID */
export function checkDecision(loaded: LoadedPlugin, step: number, group: string, decision: unknown): void {
  if (decision === undefined || (typeof decision === "string" && Object.hasOwn(DECISIONS, decision))) return;
  const wanted = Object.keys(DECISIONS)
    .map((word) => `"${word}"`)
    .join(", ");
  throw notValid(loaded, "keep", step, `group "${group}" got ${shown(decision)}, one of ${wanted} is wanted`);
}

/** Refuses metrics that are no finite numbers, or whose names are `taken`. @throws HOOK_RESULT_NOT_VALID */
export function checkMetrics(
  loaded: LoadedPlugin,
  step: number,
  metrics: unknown,
  taken: Readonly<Record<string, number>>,
): void {
  if (metrics === undefined) return;
  if (!isObject(metrics))
    throw notValid(loaded, "observe", step, `it is ${shown(metrics)}, an object of metrics or undefined is wanted`);
  for (const [name, value] of Object.entries(metrics)) {
    if (Object.hasOwn(taken, name))
      throw notValid(loaded, "observe", step, `metric "${name}" is in the report already, a name of its own is wanted`);
    if (!Number.isFinite(value))
      throw notValid(loaded, "observe", step, `metric "${name}" is ${shown(value)}, a finite number is wanted`);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in few words, for a message. */
function shown(value: unknown): string {
  const text = typeof value === "number" || value === undefined ? String(value) : JSON.stringify(value);
  return (text ?? typeof value).slice(0, 80);
}
