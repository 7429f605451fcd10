import { EventEmitter } from "eventemitter3";
import { errors } from "../errors.js";
import type { ActorDefinition, AnyActorDefinition, Protocol } from "./actor.js";
import type { ActorStatus } from "./actor-status.js";
import type { ActorRef, Down, StopOptions } from "./actor-ref.js";
import { callListener } from "./call-listener.js";
import { keepProcessAlive, systemClock, type Clock } from "./clock.js";
import { DeadLetters, type DeadLetter } from "./dead-letters.js";
import { SupervisedActor } from "./supervised-actor.js";
import { defaultSupervision, type Supervision } from "./supervisor.js";
import type { Placement } from "./transport.js";

/** What a system tells its listeners. A listener that throws surfaces as an uncaught exception and disturbs nobody. */
export interface SystemEvents {
  down: Down;
  restart: { readonly address: string; readonly incarnation: number };
  "dead-letter": DeadLetter;
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
  /** Inline unless given. */
  readonly placement?: Placement;
  /** Accepted and unfinished messages at most; 1024 unless given. */
  readonly mailbox?: { readonly capacity: number };
  /** Three restarts a minute unless given. */
  readonly supervision?: Supervision;
  /** Milliseconds from the start, or a restart, to the end of `init`; 30 000 unless given. */
  readonly startDeadlineMs?: number;
}

const DEFAULT_CAPACITY = 1024;
const DEFAULT_START_DEADLINE_MS = 30_000;

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
  readonly #clock: Clock;
  readonly #actors = new Map<string, SupervisedActor>();
  #spawned = 0;
  #isStopped = false;
  #letProcessEnd: () => void = () => {};

  constructor({ clock = systemClock }: { clock?: Clock } = {}) {
    this.#clock = clock;
  }

  /**
   * Starts an actor; resolves when its `init` is through.
   *
   * Rejects with ACTOR_NOT_STARTED (`cause` says why), ACTOR_ID_TAKEN or ACTOR_SYSTEM_STOPPED. A first start is not
   * tried again.
   */
  async spawn<P extends Protocol, State, Args>(
    definition: ActorDefinition<P, State, Args>,
    args: Args,
    options: SpawnOptions = {},
  ): Promise<ActorRef<P>> {
    const address = options.id ?? this.#nextAddress(definition.name);
    if (this.#isStopped) throw errors.actorSystemStopped({ address });
    if (this.#actors.has(address)) throw errors.actorIdTaken({ address });
    const actor = new SupervisedActor(
      {
        address,
        // Handlers are only ever called with the state that its own init made and messages that its own ref took.
        definition: definition as unknown as AnyActorDefinition,
        args,
        placement: options.placement ?? { at: "inline" },
        capacity: options.mailbox?.capacity ?? DEFAULT_CAPACITY,
        supervision: options.supervision ?? defaultSupervision,
        startDeadlineMs: options.startDeadlineMs ?? DEFAULT_START_DEADLINE_MS,
        clock: this.#clock,
      },
      {
        down: (down) => callListener(() => this.events.emit("down", down)),
        restarted: (incarnation) => callListener(() => this.events.emit("restart", { address, incarnation })),
        deadLetter: (letter) => this.deadLetters.add(letter),
        event: (event, data) => callListener(() => this.events.emit("actor-event", { address, event, data })),
        ended: () => this.#forget(address),
      },
    );
    if (this.#actors.size === 0) this.#letProcessEnd = keepProcessAlive();
    this.#actors.set(address, actor);
    await actor.started;
    // The protocol of the definition is the protocol of its messages.
    return actor as unknown as ActorRef<P>;
  }

  /** All live actors, in the order in which they were spawned. */
  list(): readonly ActorStatus[] {
    return [...this.#actors.values()].map((actor) => actor.status());
  }

  /** Stops every actor as `ActorRef.stop` does, and starts none any more. */
  async stop(options: StopOptions = {}): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#actors.values()].map((actor) => actor.stop(options)));
  }

  #nextAddress(name: string): string {
    this.#spawned += 1;
    return `${name}-${this.#spawned}`;
  }

  #forget(address: string): void {
    this.#actors.delete(address);
    if (this.#actors.size === 0) this.#letProcessEnd();
  }
}
