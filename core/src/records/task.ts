import type { JsonObject } from "./json.js";

/** One message of a conversation, before any chat template. */
export interface Message {
  /** "tool" is what an environment's tool answers; not every chat template knows it. */
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
}

/** A prompt with what is needed to verify an answer. */
export interface Task {
  /** Stable and unique within its taskset; names the task in every error. */
  readonly id: string;
  /** What the verifier is chosen by: "math", "code", "arithmetic". */
  readonly domain: string;
  readonly prompt: readonly Message[];
  /** The reference answer, as its verifier reads it. Never shown to the policy. */
  readonly reference: string;
  /** Known facts about the task; `difficulty` (number) is read by reports when present. */
  readonly meta: JsonObject;
}
