import type { JsonObject } from "./json.js";
import type { EpisodeOutcome } from "./verdict.js";

/**
 * Where a token came from; `Trajectory.origins` holds one code per token. Forced tokens begin a response and carry loss;
 * injected ones were put into it by a budget rule, and carry none: the policy did not choose them.
 */
export const ORIGIN = { prompt: 0, sampled: 1, forced: 2, observed: 3, injected: 4 } as const;

/**
 * Why sampling ended: a stop token, the token budget, an abort, the number of turns, or a failure of the rollout. An
 * episode of several turns that its environment ended stops with "stop".
 */
export type StopReason = "stop" | "length" | "aborted" | "turns" | "failed";

/** Tokens [start, end) were sampled by this policy version. */
export interface VersionSpan {
  readonly version: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Tokens [start, end) belong to one side of the conversation. Turns follow each other without a gap. A "prompt" after the
 * first begins a new segment: the chat template wrote what was said before in another way, so the policy goes on from
 * the whole conversation, rendered anew.
 */
export interface Turn {
  readonly role: "prompt" | "policy" | "environment";
  readonly start: number;
  readonly end: number;
  /** In an episode, what was said: special tokens kept, without the token that ended the policy's turn. */
  readonly text?: string;
}

/** What the policy said in one turn; `splitThinking` reads it. */
export interface PolicyTurn {
  /** From 0. */
  readonly index: number;
  /** What the assistant's turn already held when sampling began, for example "<think>\n". */
  readonly assistantPrefix: string;
  /** Special tokens kept, without the token that ended the turn. */
  readonly responseText: string;
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
  /** What the sampler computed with; absent where it was not recorded. */
  readonly kernelSet?: string;
  /** Key of the counter-based generator, as 16 hexadecimal digits. */
  readonly seed: string;
  readonly temperature: number;
  /** Sampled tokens that were allowed, in all turns together. */
  readonly maxTokens: number;
  /** What the assistant's turn already held when sampling began, for example "<think>\n". */
  readonly assistantPrefix: string;
  /** The whole prompt as text, `assistantPrefix` included. */
  readonly promptText: string;
  /** The response as text, special tokens kept; forced tokens and what the environment said included. */
  readonly responseText: string;
  /** What the environment found at the end of an episode, or how it failed. */
  readonly outcome?: EpisodeOutcome;
  /** Plugin name → version for every plugin that touched the rollout. */
  readonly plugins: Readonly<Record<string, string>>;
  /** What `format` and `annotate` hooks recorded, for example `mode` and `thinkTokens`. */
  readonly annotations: JsonObject;
}

/** Number of prompt tokens: where the first policy turn starts. */
export function promptLength(trajectory: Trajectory): number {
  return trajectory.turns[0]?.end ?? 0;
}

/** Tokens after the prompt, those of the environment included: the shape of everything that has a value for each of them. */
export function responseLength(trajectory: Trajectory): number {
  return trajectory.tokens.length - promptLength(trajectory);
}

/** Whether the response was cut at its token budget. */
export function isTruncated(trajectory: Trajectory): boolean {
  return trajectory.stopReason === "length";
}

/** Tokens of the policy's turns: what it said, however much the environment answered. */
export function policyLength({ turns }: Trajectory): number {
  return turns.reduce((sum, { role, start, end }) => sum + (role === "policy" ? end - start : 0), 0);
}

/** Whether the policy talked with its environment, however few turns it came to. */
export function isEpisode({ turns, outcome }: Trajectory): boolean {
  return outcome !== undefined || turns.some(({ text }) => text !== undefined);
}

/** What the policy said, turn by turn. */
export function policyTurns({ turns, assistantPrefix, responseText }: Trajectory): readonly PolicyTurn[] {
  const texts = turns.flatMap(({ role, text }) => (role === "policy" && text !== undefined ? [text] : []));
  return (texts.length > 0 ? texts : [responseText]).map((text, index) => ({
    index,
    assistantPrefix,
    responseText: text,
  }));
}

/** Where each segment begins: sequences of their own for the learner, as a later one does not see the tokens before it. */
export function segmentStarts({ turns }: Trajectory): readonly number[] {
  return [0, ...turns.slice(1).flatMap(({ role, start }) => (role === "prompt" ? [start] : []))];
}
