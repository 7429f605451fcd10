import type { JsonObject } from "../records/json.js";
import type { Message } from "../records/task.js";

/** What `format` hooks pass on: a prompt that is not yet rendered or tokenised. */
export interface Prompt {
  /** The conversation before the assistant's turn; the chat template renders it after the last hook. */
  readonly messages: readonly Message[];
  /**
   * What the assistant's turn already holds when sampling begins, as text: the template's generation prompt, for
   * example `<|im_start|>assistant\n<think>\n`. It is part of the prompt (no loss) and is tokenised together with
   * the conversation, in one call.
   */
  readonly assistantPrefix: string;
  /** Tokens the response must begin with: part of the response, with loss. `logprob` overrides the behaviour logprob of each. */
  readonly forcedPrefix?: { readonly text: string; readonly logprob?: number };
  /** Recorded on the trajectory. */
  readonly annotations: JsonObject;
}

/**
 * Ends a span of the response that has lasted long enough, for example thinking: when `limit` tokens have followed the
 * text `from` (or the response's beginning, when it is absent) and the text `until` was not among them, the text `inject`
 * comes next. `from` and `until` are one token each. Injected tokens carry no loss.
 */
export interface SpanBudget {
  readonly limit: number;
  readonly from?: string;
  readonly until: string;
  readonly inject: string;
}

/** What `sampling` hooks pass on; the engine runs it natively. */
export interface SamplingPlan {
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  /** 1 keeps everything. */
  readonly topP: number;
  /** 0 keeps everything. */
  readonly topK: number;
  /** 0 keeps everything. */
  readonly minP: number;
  /** Token id → added to its logit. */
  readonly logitBias: Readonly<Record<number, number>>;
  /** Texts that end the response once they stand in it; they stay part of it. */
  readonly stopStrings: readonly string[];
  readonly budgetRules: readonly SpanBudget[];
}
