import type { Outcome } from "./actor-ref.js";
import type { WireError } from "./error-codec.js";

/**
 * The frames that carry an actor's messages out of its system's thread. Two lanes lead to the actor: user frames in the
 * order of sending, and system frames, which overtake them and so never wait behind one. One lane leads back, so an
 * actor's end is heard of after all it has said.
 */

/** A message on its way to the actor. */
export interface Delivery {
  readonly id: number;
  readonly type: string;
  readonly message: unknown;
  /** Whether somebody waits for the answer. */
  readonly asks: boolean;
  /** It travels on the system lane, and is handled before others that wait. */
  readonly isUrgent: boolean;
}

/** Messages of one turn, whose ids follow one another. Columns are cloned in half the time that objects take. */
export interface Batch {
  readonly firstId: number;
  readonly types: readonly string[];
  readonly asks: readonly boolean[];
  readonly messages: readonly unknown[];
}

/** What overtakes messages. */
export type SystemFrame =
  | { readonly kind: "deliver"; readonly delivery: Delivery }
  | { readonly kind: "cancel"; readonly id: number }
  /** Finish every message up to `lastId`, the last one that is not urgent, and every urgent one; then end. */
  | { readonly kind: "stop"; readonly lastId: number };

/** What an actor says. */
export type ActorFrame =
  | { readonly kind: "ready" }
  | { readonly kind: "reply"; readonly id: number; readonly value: unknown }
  | { readonly kind: "fail"; readonly id: number; readonly outcome: Outcome; readonly error: WireError }
  /** Told messages that are handled: their places in the mailbox are free again. */
  | { readonly kind: "done"; readonly ids: readonly number[] }
  | { readonly kind: "event"; readonly event: string; readonly data: unknown }
  | { readonly kind: "crashed"; readonly error: WireError }
  | { readonly kind: "stopped" };

/**
 * Whether `id` was given out after `other`. Ids count up and wrap around as 32-bit integers; fewer than 2^31 are ever
 * under way, so their distance tells their order.
 */
export function isAfter(id: number, other: number): boolean {
  return ((id - other) | 0) > 0;
}

/** The id that follows. */
export function idAfter(id: number): number {
  return (id + 1) | 0;
}
