import type { Movable } from "./movable.js";
import { errors } from "../errors.js";
import type { ActorContext, AnyActorDefinition } from "./actor.js";
import type { Clock } from "./clock.js";
import { Mailbox } from "./mailbox.js";
import { isAfter, type Delivery } from "./protocol.js";
import type { Incarnation, ProgressNotes, Upstream } from "./transport.js";

/** Urgent messages that may wait; see `ActorDefinition.urgent`. */
export const MAX_URGENT = 64;

/** How the thread that a cell lives in shares its time. */
export interface Turns {
  /** Runs `pump` for a message that arrived. */
  first(pump: () => void): void;
  /** Called while more messages wait; false when it will run `pump` later, so that others get a turn. */
  goesOn(pump: () => void): boolean;
  /** Handles system frames that have arrived. */
  lookAtSystemLane(): void;
}

/** Runs one incarnation of an actor: starts its messages in order, answers them, ends it. Same code on every placement. */
export class Cell {
  readonly #definition: AnyActorDefinition;
  readonly #address: string;
  readonly #clock: Clock;
  readonly #board: ProgressNotes;
  readonly #upstream: Upstream;
  readonly #turns: Turns;
  readonly #mailbox: Mailbox<Delivery>;
  readonly #urgent = new Mailbox<Delivery>(MAX_URGENT);
  readonly #interleaves: ReadonlySet<PropertyKey>;
  readonly #resumes: boolean;
  readonly #running = new Map<number, Context>();
  readonly #cancelled = new Set<number>();
  readonly #life: Context;
  readonly #emit = (event: string, data: unknown): void => this.#saySo(() => this.#upstream.event(event, data));
  readonly #pump = (): void => this.#startMessages();
  #state: unknown;
  #phase: "init" | "running" | "ending" | "closed" = "init";
  /** Of messages that are not urgent: the last one that arrived, and the last one that was started. */
  #receivedId: number;
  #startedId: number;
  #lastId: number | undefined;
  #endsFor: "stop" | "restart" = "stop";
  #isDisposed = false;

  constructor(
    incarnation: Pick<Incarnation, "definition" | "address" | "capacity" | "lastId" | "resumes" | "clock">,
    board: ProgressNotes,
    upstream: Upstream,
    turns: Turns,
  ) {
    this.#definition = incarnation.definition;
    this.#address = incarnation.address;
    this.#clock = incarnation.clock;
    this.#board = board;
    this.#receivedId = incarnation.lastId;
    this.#startedId = incarnation.lastId;
    this.#resumes = incarnation.resumes;
    this.#upstream = upstream;
    this.#turns = turns;
    this.#mailbox = new Mailbox(incarnation.capacity);
    this.#interleaves = new Set(incarnation.definition.interleave);
    this.#life = new Context(this.#address, this.#clock, this.#emit);
  }

  /** Makes the state, then says `ready` or `crashed`. */
  async start(args: unknown): Promise<void> {
    try {
      this.#state = await this.#definition.init(args, this.#life);
    } catch (error) {
      return this.#saySo(() => this.#upstream.crashed(error));
    }
    // Ended while it started: nobody else knows this state.
    if (this.#phase === "closed") return this.#disposeUnheard();
    this.#phase = "running";
    this.#upstream.ready();
  }

  deliver(delivery: Delivery): void {
    if (this.#phase === "closed") return;
    if (!delivery.isUrgent) this.#receivedId = delivery.id;
    if (!(delivery.isUrgent ? this.#urgent : this.#mailbox).push(delivery))
      throw errors.creditExceeded({ address: this.#address, capacity: this.#mailbox.capacity });
    this.#turns.first(this.#pump);
  }

  cancel(id: number): void {
    const context = this.#running.get(id);
    if (context) context.abort();
    // The system lane overtakes: what is cancelled may not have arrived yet.
    else if (isAfter(id, this.#startedId)) this.#cancelled.add(id);
  }

  stop(lastId: number): void {
    this.#lastId = lastId;
    this.#endWhenDone();
  }

  /** Ends without finishing anything; nothing is said any more. */
  close(): void {
    if (this.#phase === "closed") return;
    const wasStarted = this.#phase !== "init";
    this.#phase = "closed";
    this.#life.abort();
    for (const context of this.#running.values()) context.abort();
    if (wasStarted) this.#disposeUnheard();
  }

  get #waiting(): number {
    return this.#mailbox.length + this.#urgent.length;
  }

  #startMessages(): void {
    for (;;) {
      this.#turns.lookAtSystemLane();
      if (this.#phase !== "running") return;
      const lane = this.#urgent.length > 0 ? this.#urgent : this.#mailbox;
      const head = lane.peek();
      if (!head) return this.#endWhenDone();
      if (this.#running.size > 0 && !this.#interleaves.has(head.type)) return;
      lane.shift();
      if (!head.isUrgent) this.#startedId = head.id;
      this.#board.start(head.id, this.#clock.now());
      if (this.#cancelled.delete(head.id)) this.#skip(head);
      else this.#handle(head);
      if (this.#waiting > 0 && !this.#turns.goesOn(this.#pump)) return;
    }
  }

  #skip(delivery: Delivery): void {
    this.#board.rest();
    const { id, type } = delivery;
    this.#upstream.fail(id, "not-run", errors.askAborted({ address: this.#address, type, outcome: "not-run" }));
  }

  #handle(delivery: Delivery): void {
    const context = new Context(this.#address, this.#clock, this.#emit);
    let value: unknown;
    try {
      const handler = this.#definition.on[delivery.type];
      if (!handler) throw errors.messageUnknown({ address: this.#address, type: delivery.type });
      value = handler(this.#state, delivery.message, context);
    } catch (error) {
      return this.#threw(delivery, error);
    }
    // Awaiting only what must be awaited answers a plain value four times as fast.
    if (!isThenable(value)) return this.#returned(delivery, value, context);
    this.#running.set(delivery.id, context);
    value.then(
      (result) => {
        this.#returned(delivery, result, context);
        this.#pump();
      },
      (error: unknown) => {
        this.#threw(delivery, error);
        this.#pump();
      },
    );
  }

  #returned(delivery: Delivery, value: unknown, context: Context): void {
    this.#finish(delivery);
    if (this.#phase === "closed") return;
    if (delivery.asks) this.#upstream.reply(delivery.id, value, context.buffers);
    else this.#upstream.done([delivery.id]);
  }

  #threw(delivery: Delivery, error: unknown): void {
    this.#finish(delivery);
    if (this.#phase === "closed") return;
    if (delivery.asks || this.#resumes) this.#upstream.fail(delivery.id, "failed", error);
    else this.#crash(error);
  }

  #finish(delivery: Delivery): void {
    this.#running.delete(delivery.id);
    if (this.#running.size > 0) return;
    this.#board.rest();
    if (this.#phase === "closed") this.#disposeUnheard();
  }

  #crash(error: unknown): void {
    this.#phase = "ending";
    this.#endsFor = "restart";
    for (const context of this.#running.values()) context.abort();
    const report = (): void => this.#saySo(() => this.#upstream.crashed(error));
    this.#disposeWhenIdle().then(report, report);
  }

  #endWhenDone(): void {
    if (this.#phase !== "running" || this.#lastId === undefined) return;
    if (this.#running.size > 0 || this.#waiting > 0 || isAfter(this.#lastId, this.#receivedId)) return;
    this.#phase = "ending";
    this.#disposeWhenIdle().then(
      () => this.#saySo(() => this.#upstream.stopped()),
      (error: unknown) => this.#saySo(() => this.#upstream.crashed(error)),
    );
  }

  #saySo(say: () => void): void {
    if (this.#phase !== "closed") say();
  }

  /** What goes wrong in disposing after the end has nobody left to hear of it. */
  #disposeUnheard(): void {
    this.#disposeWhenIdle().catch(() => {});
  }

  /** Lets go of the state, once, and never under a running handler: then it is the last of them that does. */
  async #disposeWhenIdle(): Promise<void> {
    if (this.#running.size > 0 || this.#isDisposed) return;
    this.#isDisposed = true;
    await this.#definition.dispose?.(this.#state, this.#endsFor);
  }
}

/** A handler's view of the outside; the signal is made when it is looked at, as that costs as much as a small message. */
class Context implements ActorContext {
  readonly address: string;
  readonly clock: Clock;
  readonly emit: ActorContext["emit"];
  #controller: AbortController | undefined;
  #isAborted = false;
  buffers: readonly Movable[] = [];

  constructor(address: string, clock: Clock, emit: ActorContext["emit"]) {
    this.address = address;
    this.clock = clock;
    this.emit = emit;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }

  transfer<T>(value: T, buffers: readonly Movable[]): T {
    this.buffers = [...new Set([...this.buffers, ...buffers])];
    return value;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
