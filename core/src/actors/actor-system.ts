import { EventEmitter } from "eventemitter3";
import type { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { ActorDefinition, AnyActorDefinition, Protocol } from "./actor.js";
import type { ActorStatus, Wait } from "./actor-status.js";
import type { ActorRef, Down, StopOptions } from "./actor-ref.js";
import { callListener } from "./call-listener.js";
import { keepProcessAlive, systemClock, type Clock } from "./clock.js";
import { DeadLetters, type DeadLetter } from "./dead-letters.js";
import { SupervisedActor } from "./supervised-actor.js";
import { defaultSupervision, type Supervision } from "./supervisor.js";
import { schedule, type Schedule } from "./schedule.js";
import type { Placement } from "./transport.js";
import { WaitBoard } from "./wait-board.js";

/** What a system tells its listeners. A listener that throws surfaces as an uncaught exception and disturbs nobody. */
export interface SystemEvents {
  down: Down;
  restart: { readonly address: string; readonly incarnation: number };
  "dead-letter": DeadLetter;
  /** An actor without a parent gave up, and its supervision wants more than its end: the system is stopped. */
  failed: TroupeError;
  "actor-event": { readonly address: string; readonly event: string; readonly data: unknown };
}

/** Where a system tells what happens in it; see `SystemEvents`. */
export type SystemBus = InstanceType<
  typeof EventEmitter<{ [Name in keyof SystemEvents]: (value: SystemEvents[Name]) => void }>
>;

/** Where and how an actor lives. */
export interface SpawnOptions {
  /** The actor's address; its definition's name and a number unless given. */
  readonly id?: string;
  /** Address of a live actor. When it ends, this one ends before it; when it restarts, this one begins anew with it. */
  readonly parent?: string;
  /** Inline unless given. */
  readonly placement?: Placement;
  /** Accepted and unfinished messages at most; 1024 unless given. */
  readonly mailbox?: { readonly capacity: number };
  /** Three restarts a minute unless given. */
  readonly supervision?: Supervision;
  /** Milliseconds from the start, or a restart, to the end of `init`; 300 000 unless given. */
  readonly startDeadlineMs?: number;
}

const PLACES: ReadonlySet<string> = new Set(["inline", "thread", "process", "remote"] satisfies Placement["at"][]);
const DEFAULT_CAPACITY = 1024;
/** A machine that is busy with training may take long to start a thread or a process. */
const DEFAULT_START_DEADLINE_MS = 300_000;

/**
 * Starts actors, lists them, and stops them all. While one lives, the process does; after `stop()` no thread, port or
 * timer is left.
 *
 * @example
 * const system = new ActorSystem();
 * const ref = await system.spawn(counter, { from: 1 }, { placement: { at: "thread" } });
 * await ref.ask("add", 2, { deadlineMs: 1000 }); // 3
 * await system.stop();
 */
export class ActorSystem {
  readonly events: SystemBus = new EventEmitter();
  readonly deadLetters = new DeadLetters((letter) => callListener(() => this.events.emit("dead-letter", letter)));
  /** Waits of the system's owner that are not asks. */
  readonly waiting: WaitBoard;
  readonly #clock: Clock;
  readonly #actors = new Map<string, SupervisedActor>();
  readonly #parents = new Map<string, string>();
  readonly #schedules = new Set<() => void>();
  readonly #closers: (() => Promise<void>)[] = [];
  #spawned = 0;
  #isStopped = false;
  #letProcessEnd: () => void = () => {};

  constructor({ clock = systemClock }: { clock?: Clock } = {}) {
    this.#clock = clock;
    this.waiting = new WaitBoard(clock);
  }

  /**
   * Starts an actor; resolves when its `init` is through.
   *
   * Rejects with ACTOR_NOT_STARTED (`cause` says why), ACTOR_ID_TAKEN, ACTOR_PARENT_MISSING or ACTOR_SYSTEM_STOPPED. A
   * first start is not tried again.
   */
  async spawn<P extends Protocol, State, Args>(
    definition: ActorDefinition<P, State, Args>,
    args: Args,
    options: SpawnOptions = {},
  ): Promise<ActorRef<P>> {
    const address = options.id ?? this.#nextAddress(definition.name);
    if (this.#isStopped) throw errors.actorSystemStopped({ address });
    if (this.#actors.has(address)) throw errors.actorIdTaken({ address });
    const { parent } = options;
    if (parent !== undefined && !this.#actors.has(parent)) throw errors.actorParentMissing({ address, parent });
    const placement = options.placement ?? { at: "inline" };
    if (!PLACES.has(placement.at)) throw errors.placementUnknown({ address, at: placement.at });
    const actor = new SupervisedActor(
      {
        address,
        parent,
        // Handlers are only ever called with the state that its own init made and messages that its own ref took.
        definition: definition as unknown as AnyActorDefinition,
        args,
        placement,
        capacity: options.mailbox?.capacity ?? DEFAULT_CAPACITY,
        supervision: options.supervision ?? defaultSupervision,
        startDeadlineMs: options.startDeadlineMs ?? DEFAULT_START_DEADLINE_MS,
        clock: this.#clock,
      },
      {
        down: (down) => {
          for (const child of this.#childrenOf(address)) child.parentDown(down.restarts);
          callListener(() => this.events.emit("down", down));
          if (parent === undefined && isGivingUp(down) && options.supervision?.onGivingUp === "escalate")
            this.#fail(down);
        },
        restarted: (incarnation) => callListener(() => this.events.emit("restart", { address, incarnation })),
        ready: () => {
          for (const child of this.#childrenOf(address)) child.parentReady();
        },
        escalate: ({ error, reason }) => {
          const problem = `its child "${address}" gave up (${reason})`;
          if (parent !== undefined)
            this.#actors.get(parent)?.crash(errors.actorEscalated({ address: parent, problem }, error));
        },
        stopChildren: (stop) => this.#childrenOf(address).map((child) => child.stop(stop)),
        deadLetter: (letter) => this.deadLetters.add(letter),
        event: (event, data) => callListener(() => this.events.emit("actor-event", { address, event, data })),
        ended: () => this.#forget(address),
      },
    );
    if (this.#actors.size === 0) this.#letProcessEnd = keepProcessAlive();
    this.#actors.set(address, actor);
    if (parent !== undefined) this.#parents.set(address, parent);
    await actor.started;
    // The protocol of the definition is the protocol of its messages.
    return actor as unknown as ActorRef<P>;
  }

  /** All live actors, in the order in which they were spawned. */
  list(): readonly ActorStatus[] {
    return [...this.#actors.values()].map((actor) => actor.status());
  }

  /** Everybody who waits for an actor or, by `waiting`, for something else. */
  waits(): readonly Wait[] {
    return [...this.waiting.list(), ...[...this.#actors.values()].flatMap((actor) => actor.waits())];
  }

  /**
   * Tells an actor something later, and again if wanted, until it ends. A message that finds the mailbox full is a dead
   * letter.
   *
   * @returns takes back what was not told yet
   */
  schedule<P extends Protocol, K extends keyof P & string>(
    ref: ActorRef<P>,
    type: K,
    message: P[K]["in"],
    when: Schedule,
  ): () => void {
    const full = (): void => this.deadLetters.add({ address: ref.address, type, reason: "full", outcome: "not-run" });
    const cancel = schedule(ref, type, message, when, this.#clock, full, () => this.#schedules.delete(cancel));
    this.#schedules.add(cancel);
    return cancel;
  }

  /** Stops every actor as `ActorRef.stop` does, and starts none any more. */
  async stop(options: StopOptions = {}): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#schedules) cancel();
    await Promise.all([...this.#actors.values()].map((actor) => actor.stop(options)));
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }

  /** Has `stop` close what this system's actors need, such as the link to a node, once the last of them has ended. */
  closeAtEnd(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  #nextAddress(name: string): string {
    this.#spawned += 1;
    return `${name}-${this.#spawned}`;
  }

  #childrenOf(address: string): SupervisedActor[] {
    return [...this.#parents].flatMap(([child, parent]) => (parent === address ? (this.#actors.get(child) ?? []) : []));
  }

  #fail({ address, reason, error }: Down): void {
    const failure = errors.actorEscalated({ address, problem: `it gave up (${reason})` }, error);
    void this.stop({ graceMs: 0 });
    const isHeard = this.events.listenerCount("failed") > 0;
    callListener(() => {
      // Like an "error" that nobody listens for: the process ends with it.
      if (!isHeard) throw failure;
      this.events.emit("failed", failure);
    });
  }

  #forget(address: string): void {
    this.#actors.delete(address);
    this.#parents.delete(address);
    if (this.#actors.size === 0) this.#letProcessEnd();
  }
}

/** Whether an actor ended by what went wrong, and not because it was told to. */
function isGivingUp({ restarts, reason }: Down): boolean {
  return !restarts && reason !== "stopped" && reason !== "killed" && reason !== "parent-down";
}
