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
  /** Known facts about the task; `difficulty` (number) is read by reports when present, `place` by `placeOf`. */
  readonly meta: JsonObject;
}

/** A token of a text, for a task that asks what comes next: bytes [start, end) of the text's UTF-8. */
export interface TextPlace {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Where in a text a task stands: its `meta.place`; undefined for a task that stands in none. */
export function placeOf({ meta }: Pick<Task, "meta">): TextPlace | undefined {
  const place = meta["place"];
  // Only the three fields are read, and their types are checked here.
  const { text, start, end } = (typeof place === "object" && place !== null ? place : {}) as Partial<TextPlace>;
  if (typeof text !== "string" || typeof start !== "number" || typeof end !== "number") return undefined;
  return { text, start, end };
}
