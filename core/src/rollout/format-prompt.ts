import { errors } from "../errors.js";
import { checkBudgetRules, checkPatch, checkTemperature, checkWrites } from "../hooks/hook-results.js";
import { runHook, mergeAnnotations, type HookCall } from "../hooks/hook-runner.js";
import type { LoadedPlugin } from "../hooks/plugin-loader.js";
import type { Prompt, SamplingPlan } from "../hooks/prompt.js";
import type { JsonObject } from "../records/json.js";
import type { Message, Task } from "../records/task.js";
import type { Tokenizer } from "../engines/tokenizer.js";

/** A prompt ready for the engine. */
export interface FormattedPrompt {
  readonly messages: readonly Message[];
  readonly tokens: Int32Array;
  readonly forcedTokens: Int32Array;
  readonly forcedLogprob: number | undefined;
  readonly text: string;
  readonly assistantPrefix: string;
  readonly annotations: JsonObject;
  readonly sampling: SamplingPlan;
}

/**
 * Passes a task's prompt through the `format` and `sampling` hooks, renders it, and tokenises the whole string in one
 * call: ids of pieces put together would be a prompt that the policy never saw.
 *
 * @throws HOOK_FAILED, HOOK_RESULT_NOT_VALID, PROMPT_TOO_LONG
 */
export function formatPrompt(
  tokenizer: Tokenizer,
  plugins: readonly LoadedPlugin[],
  task: Task,
  sampling: SamplingPlan,
  maxPositions: number,
  phase: "train" | "eval",
  call: HookCall,
): FormattedPrompt {
  const template = tokenizer.render(task.prompt);
  let prompt: Prompt = { messages: task.prompt, assistantPrefix: template.assistantPrefix, annotations: {} };
  let plan = sampling;
  for (const loaded of plugins) {
    const formatted = runHook(loaded, "format", call, [{ ...prompt, annotations: {} }, task]);
    checkPatch(loaded, "format", call.step, formatted);
    checkWrites(loaded, call.step, formatted);
    const { annotations, ...changes } = formatted ?? {};
    prompt = {
      ...prompt,
      ...changes,
      annotations: mergeAnnotations(loaded, "format", call.step, prompt.annotations, annotations),
    };
    const sampled = runHook(loaded, "sampling", call, [plan, task]);
    checkPatch(loaded, "sampling", call.step, sampled);
    checkBudgetRules(loaded, call.step, sampled, (part) => tokenizer.encode(part).length);
    if (phase === "train") checkTemperature(loaded, call.step, sampled, sampling.temperature);
    plan = { ...plan, ...sampled };
  }
  const context = prompt.messages === task.prompt ? template.context : tokenizer.render(prompt.messages).context;
  const text = context + prompt.assistantPrefix;
  const tokens = tokenizer.encode(text);
  if (tokens.length + 1 > maxPositions)
    throw errors.promptTooLong({ taskId: task.id, tokens: tokens.length, maxPositions });
  return {
    messages: prompt.messages,
    tokens,
    forcedTokens: prompt.forcedPrefix ? tokenizer.encode(prompt.forcedPrefix.text) : new Int32Array(),
    forcedLogprob: prompt.forcedPrefix?.logprob,
    text,
    assistantPrefix: prompt.assistantPrefix,
    annotations: prompt.annotations,
    sampling: { ...plan, maxTokens: Math.min(plan.maxTokens, maxPositions - tokens.length) },
  };
}
