import type { JsonObject } from "./json.js";

/**
 * Where a token came from; `Trajectory.origins` holds one code per token. Forced tokens begin a response and carry loss;
 * injected ones were put into it by a budget rule, and carry none: the policy did not choose them.
 */
export const ORIGIN = { prompt: 0, sampled: 1, forced: 2, observed: 3, injected: 4 } as const;

/** Why sampling ended: a stop token, the token budget, an abort, or a failure of the rollout. */
export type StopReason = "stop" | "length" | "aborted" | "failed";

/** Tokens [start, end) were sampled by this policy version. */
export interface VersionSpan {
  readonly version: number;
  readonly start: number;
  readonly end: number;
}

/** Tokens [start, end) belong to one side of the conversation. */
export interface Turn {
  readonly role: "prompt" | "policy" | "environment";
  readonly start: number;
  readonly end: number;
}

/**
 * The record of one rollout. Ids are stored once, text is a view; nothing is ever re-tokenised.
 * Every array has shape [T], T = prompt and response tokens together.
 */
export interface Trajectory {
  /** `${step}/${group}/${slot}` in training, `eval/…` in evaluation; unique within a run. */
  readonly id: string;
  readonly taskId: string;
  readonly groupId: string;
  /** Index within the group, from 0. */
  readonly slot: number;
  /** The way the prompt was formatted: "default", or a mode that a plugin names. */
  readonly mode: string;
  readonly tokens: Int32Array;
  /** ORIGIN codes. */
  readonly origins: Uint8Array;
  /** Nats at the sampling temperature; 0 where the policy did not act. */
  readonly logprobs: Float32Array;
  /** Entropy of the sampling distribution, nats; 0 where the policy did not act. */
  readonly entropies: Float32Array;
  readonly turns: readonly Turn[];
  readonly versions: readonly VersionSpan[];
  readonly stopReason: StopReason;
  /** Error text when `stopReason` is "failed". */
  readonly failure?: string;
  /** Key of the counter-based generator, as 16 hexadecimal digits. */
  readonly seed: string;
  readonly temperature: number;
  /** Sampled tokens that were allowed. */
  readonly maxTokens: number;
  /** What the assistant's turn already held when sampling began, for example "<think>\n". */
  readonly assistantPrefix: string;
  /** The whole prompt as text, `assistantPrefix` included. */
  readonly promptText: string;
  /** The response as text, special tokens kept; forced tokens included. */
  readonly responseText: string;
  /** Plugin name → version for every plugin that touched the rollout. */
  readonly plugins: Readonly<Record<string, string>>;
  /** What `format` and `annotate` hooks recorded, for example `mode` and `thinkTokens`. */
  readonly annotations: JsonObject;
}

/** Number of prompt tokens: where the first policy turn starts. */
export function promptLength(trajectory: Trajectory): number {
  return trajectory.turns[0]?.end ?? 0;
}

/** Tokens after the prompt. */
export function responseLength(trajectory: Trajectory): number {
  return trajectory.tokens.length - promptLength(trajectory);
}

/** Whether the response was cut at its token budget. */
export function isTruncated(trajectory: Trajectory): boolean {
  return trajectory.stopReason === "length";
}
