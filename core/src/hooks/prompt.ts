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
}
