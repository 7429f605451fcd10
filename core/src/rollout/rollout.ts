import type { Completion, GenerateRequest, Sampler } from "../engines/policy-engine.js";
import { withinDeadline } from "../hooks/hook-deadline.js";
import { versionsOf } from "../hooks/hook-runner.js";
import { activePlugins, type LoadedPlugin } from "../hooks/plugin-loader.js";
import type { SamplingPlan } from "../hooks/prompt.js";
import { deriveKey, keyToHex } from "../numerics/random.js";
import type { StepPlan } from "../records/step-plan.js";
import type { Task } from "../records/task.js";
import { ORIGIN, type Trajectory } from "../records/trajectory.js";
import { formatPrompt, type FormattedPrompt } from "./format-prompt.js";
import { generateThroughVersions, type SpannedCompletion } from "./generate-through.js";
import type { Tokenizer } from "../engines/tokenizer.js";

/** One group to roll out. */
export interface GroupOrder {
  readonly id: string;
  readonly task: Task;
  readonly size: number;
}

/** What a batch of rollouts needs to know. */
export interface RolloutOrder {
  readonly seed: number;
  readonly step: number;
  readonly phase: "train" | "eval";
  readonly mode: string;
  readonly plan: StepPlan;
  readonly sampling: SamplingPlan;
  readonly groups: readonly GroupOrder[];
  /** Responses under way go on with a new version as soon as it is live. */
  readonly partial?: boolean;
  /** The policy version to sample from; with `partial`, it is the live one. */
  readonly version: number;
}

/** The policy's side of a rollout, on whichever thread it runs. */
export interface RolloutTools {
  readonly tokenizer: Tokenizer;
  readonly sampler: Sampler;
  readonly plugins: readonly LoadedPlugin[];
  /** Loaded for their evaluation modes alone. */
  readonly evalPlugins: readonly LoadedPlugin[];
  readonly maxPositions: number;
  readonly hookDeadlineMs: number;
}

/**
 * Samples every trajectory of an order: format, tokenise, generate, record. Chance is keyed by (seed, step, task,
 * slot), so a trajectory does not depend on which actor made it or on what was sampled beside it.
 *
 * @throws HOOK_FAILED, HOOK_DEADLINE, HOOK_RESULT_NOT_VALID, PROMPT_TOO_LONG
 */
export async function rollOut(
  tools: RolloutTools,
  order: RolloutOrder,
  signal: AbortSignal,
): Promise<readonly Trajectory[]> {
  const plugins = activePlugins(tools.plugins, tools.evalPlugins, order);
  const slots = order.groups.flatMap((group) => Array.from({ length: group.size }, (_, slot) => ({ group, slot })));
  const prompts = withinDeadline(tools.hookDeadlineMs, () =>
    slots.map(({ group, slot }) => format(tools, plugins, order, group, slot)),
  );
  const seeds = slots.map(({ group, slot }) =>
    deriveKey(order.seed, order.phase, order.mode, order.step, group.id, group.task.id, slot),
  );
  const requests = prompts.map((prompt, i) => requestOf(tools, prompt, seeds[i] ?? [0, 0]));
  const completions = await generate(tools.sampler, requests, order, signal);
  // Those of other steps too: the record of any step then names every plugin of the run.
  const versions = versionsOf(order.phase === "train" ? tools.plugins : plugins);
  return completions.map(({ completion, versions: spans }, i): Trajectory => {
    const { group, slot } = slots[i]!; // one completion per request
    const prompt = prompts[i]!;
    const start = prompt.tokens.length;
    const length = start + completion.tokens.length;
    const forced = prompt.forcedTokens.length;
    const origins = new Uint8Array(length).fill(ORIGIN.prompt);
    origins.set(completion.origins, start);
    const logprobs = place(start, completion.logprobs);
    if (prompt.forcedLogprob !== undefined) logprobs.fill(prompt.forcedLogprob, start, start + forced);
    return {
      id: `${group.id}/${slot}`,
      taskId: group.task.id,
      groupId: group.id,
      slot,
      mode: order.mode,
      tokens: join(prompt.tokens, completion.tokens),
      origins,
      logprobs,
      entropies: place(start, completion.entropies),
      turns: [
        { role: "prompt", start: 0, end: start },
        { role: "policy", start, end: length },
      ],
      versions: spans.map((span) => ({ ...span, start: start + span.start, end: start + span.end })),
      stopReason: completion.stopReason,
      seed: keyToHex(seeds[i] ?? [0, 0]),
      temperature: prompt.sampling.temperature,
      maxTokens: prompt.sampling.maxTokens,
      assistantPrefix: prompt.assistantPrefix,
      promptText: prompt.text,
      responseText: tools.tokenizer.decode(withoutStop(tools, completion)),
      plugins: versions,
      annotations: prompt.annotations,
    };
  });
}

async function generate(
  sampler: Sampler,
  requests: readonly GenerateRequest[],
  { partial, version }: RolloutOrder,
  signal: AbortSignal,
): Promise<readonly SpannedCompletion[]> {
  if (partial) return generateThroughVersions(sampler, requests, signal);
  return (await sampler.generate(requests, { signal, version })).map((completion) => ({
    completion,
    versions: [{ version: completion.version, start: 0, end: completion.tokens.length }],
  }));
}

function format(
  tools: RolloutTools,
  plugins: readonly LoadedPlugin[],
  order: RolloutOrder,
  group: GroupOrder,
  slot: number,
): FormattedPrompt {
  return formatPrompt(tools.tokenizer, plugins, group.task, order.sampling, tools.maxPositions, order.phase, {
    seed: order.seed,
    step: order.step,
    about: `task "${group.task.id}" slot ${slot}`,
    context: () => ({
      plan: order.plan,
      phase: order.phase,
      mode: order.mode,
      slot,
      countTokens: (text: string) => tools.tokenizer.encode(text).length,
    }),
  });
}

function requestOf(tools: RolloutTools, prompt: FormattedPrompt, seed: readonly [number, number]): GenerateRequest {
  const { maxTokens, temperature, topP, topK, minP, logitBias, stopStrings, budgetRules } = prompt.sampling;
  const bias = Object.entries(logitBias).map(([token, value]) => [Number(token), value] as const);
  const ids = (text: string | undefined): number[] => (text === undefined ? [] : [...tools.tokenizer.encode(text)]);
  const rules = budgetRules.map(({ limit, from, until, inject }) => ({
    limit,
    from: ids(from),
    until: ids(until),
    inject: ids(inject),
  }));
  return {
    promptTokens: prompt.tokens,
    maxTokens,
    temperature,
    topP,
    topK,
    minP,
    stopTokens: [tools.tokenizer.eosToken],
    seed,
    ...(prompt.forcedTokens.length > 0 ? { forcedTokens: prompt.forcedTokens } : {}),
    ...(bias.length > 0 ? { logitBias: bias } : {}),
    ...(stopStrings.length > 0 ? { stopStrings } : {}),
    ...(rules.length > 0 ? { budgetRules: rules } : {}),
  };
}

/** The response without the stop token that ended it; a stop string is text like any other. */
function withoutStop(tools: RolloutTools, { tokens, stopReason }: Completion): Int32Array {
  return stopReason === "stop" && tokens.at(-1) === tools.tokenizer.eosToken ? tokens.subarray(0, -1) : tokens;
}

function join(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function place(start: number, values: Float32Array): Float32Array {
  const out = new Float32Array(start + values.length);
  out.set(values, start);
  return out;
}
