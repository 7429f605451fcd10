import type { Movable } from "./movable.js";
import type { AnyActorDefinition } from "./actor.js";
import type { Outcome } from "./actor-ref.js";
import type { Clock } from "./clock.js";
import type { Delivery } from "./protocol.js";

/** Where an actor lives. */
export type Placement =
  /** In the system's own thread. */
  | { readonly at: "inline" }
  /** In a thread of its own. `maxOldGenerationMb` bounds the thread's JavaScript heap; buffers lie outside of it. */
  | { readonly at: "thread"; readonly maxOldGenerationMb?: number }
  /** In a process of its own, for what may crash, block or fill memory. It is ended when it takes more than `maxMemoryMb`. */
  | { readonly at: "process"; readonly maxMemoryMb?: number }
  /** On another node, there in a thread of its own unless `within` says otherwise. */
  | { readonly at: "remote"; readonly node: RemoteHost; readonly within?: Within };

/** Where on its node a remote actor lives. Inline it answers soonest, and holds up all others of the node while it works. */
export type Within = "inline" | "thread" | "process";

/** A node as `connectNode` gives it. */
export interface RemoteHost {
  /** Starts an incarnation there. */
  open(incarnation: Incarnation, within: Within, listener: TransportListener): Transport;
}

/** How far an incarnation has come, at any moment and after its end: what was started later has certainly not run. */
export interface Progress {
  /** Of all messages that were started, the one that was accepted last. */
  readonly startedId: number;
  /** The message that was started last. */
  readonly currentId: number;
  /** When that was, as the clock of the actor's thread says; undefined when nothing runs. */
  readonly busySince: number | undefined;
}

/** Where an actor's thread notes its progress; one writer. */
export interface ProgressNotes {
  /** Called before a handler runs. */
  start(id: number, now: number): void;
  /** Nothing runs any more. */
  rest(): void;
}

/**
 * The way to one incarnation of an actor. Rely on: deliveries arrive in order, each at most once; urgent ones, `cancel` and
 * `stop` overtake the others; none of these calls waits. After `kill()` the incarnation ends whatever it is doing, and
 * `ended` is the last thing that is heard of it, always.
 */
export interface Transport {
  readonly progress: Progress;
  /** @throws MESSAGE_NOT_CLONEABLE, BUFFER_DETACHED; then nothing was sent */
  deliver(delivery: Delivery, transfer: readonly Movable[]): void;
  cancel(id: number): void;
  stop(lastId: number): void;
  kill(): void;
}

/** What is heard of one incarnation. */
export interface Upstream {
  ready(): void;
  reply(id: number, value: unknown, transfer: readonly Movable[]): void;
  fail(id: number, outcome: Outcome, error: unknown): void;
  done(ids: readonly number[]): void;
  event(event: string, data: unknown): void;
  crashed(error: unknown): void;
  /** Everything is handled and disposed of; the incarnation may be ended. */
  stopped(): void;
}

/** How the place ended that an incarnation lived in. */
export interface PlaceEnd {
  readonly exitCode?: number;
  /** The signal that ended a process. */
  readonly signal?: string;
  readonly error?: unknown;
}

/** What a transport hears of one incarnation; `ended` is its last word. */
export interface TransportListener extends Upstream {
  ended(end: PlaceEnd): void;
}

/** Where a definition can be loaded. */
export type DefinitionName = Pick<AnyActorDefinition, "module" | "exportName">;

/** What an incarnation starts with; elsewhere than inline the name of its definition is enough. */
export interface Incarnation<Definition extends DefinitionName = AnyActorDefinition> {
  readonly definition: Definition;
  readonly args: unknown;
  readonly address: string;
  /** 1 for the first start, one more per restart. */
  readonly number: number;
  readonly capacity: number;
  /** The first delivery has an id after this one. */
  readonly lastId: number;
  /** A throw of a told message is reported, and does not end it. */
  readonly resumes: boolean;
  readonly clock: Clock;
}
