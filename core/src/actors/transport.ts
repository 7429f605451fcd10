import type { AnyActorDefinition } from "./actor.js";
import type { Outcome } from "./actor-ref.js";
import type { Clock } from "./clock.js";
import type { ProgressBoard } from "./progress-board.js";
import type { Delivery } from "./protocol.js";

/** Where an actor lives: in this thread, or in one of its own. */
export type Placement =
  | { readonly at: "inline" }
  /** `maxOldGenerationMb` bounds the thread's JavaScript heap; buffers lie outside of it. */
  | { readonly at: "thread"; readonly maxOldGenerationMb?: number };

/**
 * The way to one incarnation of an actor. Rely on: deliveries arrive in order, each at most once; `cancel` and `stop`
 * overtake deliveries; none of these calls waits. After `kill()` the incarnation ends whatever it is doing, and
 * `ended` is the last thing that is heard of it, always.
 */
export interface Transport {
  /** @throws MESSAGE_NOT_CLONEABLE, BUFFER_DETACHED; then nothing was sent */
  deliver(delivery: Delivery, transfer: readonly ArrayBuffer[]): void;
  cancel(id: number): void;
  stop(lastId: number): void;
  kill(): void;
}

/** What is heard of one incarnation. */
export interface Upstream {
  ready(): void;
  reply(id: number, value: unknown, transfer: readonly ArrayBuffer[]): void;
  fail(id: number, outcome: Outcome, error: unknown): void;
  done(ids: readonly number[]): void;
  event(event: string, data: unknown): void;
  crashed(error: unknown): void;
  /** Everything is handled and disposed of; the incarnation may be ended. */
  stopped(): void;
}

/** What a transport hears of one incarnation; `ended` is its last word. */
export interface TransportListener extends Upstream {
  ended(end: { readonly exitCode?: number; readonly error?: unknown }): void;
}

/** What an incarnation starts with. */
export interface Incarnation {
  readonly definition: AnyActorDefinition;
  readonly args: unknown;
  readonly address: string;
  readonly capacity: number;
  readonly board: ProgressBoard;
  /** The first delivery has an id after this one. */
  readonly lastId: number;
  readonly clock: Clock;
}
