import type { Movable } from "./movable.js";
import type { Protocol } from "./actor.js";

/**
 * Typed handle of one actor; it stays the same over restarts.
 *
 * Rely on: messages of one sender are started in the order in which they were sent; each is handled at most once; an
 * accepted ask settles by its deadline at the latest, and its error says in `details.outcome` whether the message was
 * "not-run", "failed" (the handler threw), or "unknown" (it may have run). While the actor restarts, messages wait in
 * its mailbox; asks, no longer than their deadline.
 */
export interface ActorRef<P extends Protocol> {
  readonly address: string;
  /**
   * Sends without waiting for an answer. "full": the mailbox holds its capacity. "gone": the actor has ended or stops.
   * In both cases nothing was sent.
   *
   * @throws MESSAGE_NOT_CLONEABLE, BUFFER_DETACHED
   */
  tell<K extends keyof P & string>(type: K, message: P[K]["in"], options?: TellOptions): Accepted;
  /**
   * Sends and waits for the answer.
   *
   * Rejects with ASK_DEADLINE, ACTOR_DOWN, MAILBOX_FULL, ACTOR_GONE, MESSAGE_NOT_CLONEABLE, BUFFER_DETACHED,
   * ASK_ABORTED, HANDLER_FAILED (`cause` is what the handler threw) or REPLY_NOT_CLONEABLE.
   */
  ask<K extends keyof P & string>(type: K, message: P[K]["in"], options: AskOptions): Promise<P[K]["out"]>;
  /**
   * Sends without waiting for an answer, but waits for a place in the mailbox: how a fast sender is slowed down to the
   * actor's pace. Those who wait are let in by turns, and meanwhile `tell` and `ask` find the mailbox full.
   *
   * Rejects with MAILBOX_FULL at the deadline, ASK_ABORTED, ACTOR_GONE, MESSAGE_NOT_CLONEABLE or BUFFER_DETACHED; then
   * nothing was sent.
   */
  offer<K extends keyof P & string>(type: K, message: P[K]["in"], options: AskOptions): Promise<void>;
  /**
   * Hears of the end of every incarnation, exactly once each and after its last message. Watching an actor that has
   * already ended hears of its last end.
   *
   * @returns stops watching
   */
  watch(listener: (down: Down) => void): () => void;
  /**
   * Ends the actor: refuses new messages, finishes the accepted ones, disposes of the state. What has not finished
   * after `graceMs` (5000 unless given; 0 kills) is cut off. Resolves when the actor has ended.
   */
  stop(options?: StopOptions): Promise<void>;
}

/** What became of a told message. */
export type Accepted = "accepted" | "full" | "gone";

/** How a message is sent. */
export interface TellOptions {
  /** Buffers that move to another thread instead of being copied; the sender cannot use them afterwards. */
  readonly transfer?: readonly Movable[];
}

/** How a message is sent, and how long its answer is waited for. */
export interface AskOptions extends TellOptions {
  /** Milliseconds, above 0. */
  readonly deadlineMs: number;
  /** Gives up on the answer; the handler's `ctx.signal` aborts too. */
  readonly signal?: AbortSignal;
  /** Who waits, and for what, in the words of `troupe why-stuck`; "the driver" unless given. */
  readonly by?: string;
  readonly why?: string;
}

/** How an actor is stopped. */
export interface StopOptions {
  readonly graceMs?: number;
}

/** What is known about a failed ask: whether its message ran. */
export type Outcome = "not-run" | "unknown" | "failed";

/**
 * Why an incarnation ended: "stopped" in order, "error" uncaught, "exit" of its thread or process without one,
 * "out-of-memory", "not-started" after its crash in or before `init`, "killed" as its grace was over, "unreachable" as
 * the link to its node broke: there it is ended before another incarnation begins; "parent-down" with its parent,
 * "escalated" as one of its children gave up.
 */
export type DownReason =
  | "stopped"
  | "error"
  | "exit"
  | "out-of-memory"
  | "not-started"
  | "killed"
  | "unreachable"
  | "parent-down"
  | "escalated";

/** The end of one incarnation of an actor. */
export interface Down {
  readonly address: string;
  /** 1 for the first start, one more per restart. */
  readonly incarnation: number;
  readonly reason: DownReason;
  /** Only where a thread or process ended by itself. */
  readonly exitCode?: number;
  /** Only where a signal ended a process. */
  readonly signal?: string;
  readonly error?: unknown;
  /** Whether another incarnation follows. */
  readonly restarts: boolean;
}
