import type { Movable } from "./movable.js";
import type { Clock } from "./clock.js";

/** An actor's messages: for each type what goes in and what comes out. */
export type Protocol = Record<string, { in: unknown; out: unknown }>;

/**
 * What an actor is: how its state begins, how each message changes it, how it ends.
 *
 * An actor may rely on this:
 * - One message at a time. Messages start in the order in which they were accepted; a type named in `interleave` may
 *   start while others are awaited, any other waits until nothing runs.
 * - Nobody else sees the state, and it lives in one thread.
 * - What a handler throws goes to whoever asked, and the actor lives on with its state. Thrown from a `tell` it has
 *   nobody to go to and is a crash: the actor ends, and its supervision decides what follows.
 * - Messages belong to the receiver. On other threads they are copies (structured clone, or moved by `transfer`);
 *   inline they are the very objects that were sent, so neither side changes them after sending.
 */
export interface ActorDefinition<P extends Protocol, State, Args> {
  /** Begins the addresses of its actors, and names it in errors. */
  readonly name: string;
  /** `import.meta.url` of the module that exports the definition; a thread loads it, so it must be JavaScript by then. */
  readonly module: string;
  /** Name under which `module` exports it. */
  readonly exportName: string;
  /** Makes the state; called again, with equal arguments, at each restart. A start that throws never was one. */
  init(args: Args, ctx: ActorContext): State | Promise<State>;
  readonly on: {
    readonly [K in keyof P]: (
      state: State,
      message: P[K]["in"],
      ctx: ActorContext,
    ) => P[K]["out"] | Promise<P[K]["out"]>;
  };
  /** Message types that may start while another is awaited; others run one at a time. */
  readonly interleave?: readonly (keyof P)[];
  /**
   * Message types for control, such as new settings: each is handled before all others that wait, and is accepted when
   * the mailbox is full. 64 may wait.
   */
  readonly urgent?: readonly (keyof P)[];
  /** Gives back what `init` opened. Called when the actor stops or crashes in a handler; not when its thread dies. */
  dispose?(state: State, why: "stop" | "restart"): void | Promise<void>;
}

/** What a handler sees besides state and message. */
export interface ActorContext {
  readonly address: string;
  /** Aborts when the asker gave up on this message or the actor is being ended. */
  readonly signal: AbortSignal;
  /** The system's clock inline; on another thread, the machine's. */
  readonly clock: Clock;
  /** Tells the system's listeners of "actor-event"; `data` is copied between threads. */
  emit(event: string, data: unknown): void;
  /** Marks buffers that the reply may move instead of copy; they are unusable here afterwards. Returns `value`. */
  transfer<T>(value: T, buffers: readonly Movable[]): T;
}

/**
 * Gives a definition its type, and checks it against its protocol.
 *
 * @example
 * type Counting = { add: { in: number; out: number } };
 * export const counter = defineActor<Counting, { sum: number }, { from: number }>({
 *   name: "counter",
 *   module: import.meta.url,
 *   exportName: "counter",
 *   init: ({ from }) => ({ sum: from }),
 *   on: { add: (state, amount) => (state.sum += amount) },
 * });
 */
export function defineActor<P extends Protocol, State, Args>(
  definition: ActorDefinition<P, State, Args>,
): ActorDefinition<P, State, Args> {
  return definition;
}

/** A definition whose types are known only to its users. */
export type AnyActorDefinition = ActorDefinition<Protocol, unknown, unknown>;
