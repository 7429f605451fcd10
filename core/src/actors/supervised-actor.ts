import type { Movable } from "./movable.js";
import { setMaxListeners } from "node:events";
import { errors } from "../errors.js";
import type { AnyActorDefinition, Protocol } from "./actor.js";
import type { Accepted, ActorRef, AskOptions, Down, Outcome, StopOptions, TellOptions } from "./actor-ref.js";
import type { Clock } from "./clock.js";
import type { DeadLetter } from "./dead-letters.js";
import type { ActorState, ActorStatus, Wait } from "./actor-status.js";
import { callListener } from "./call-listener.js";
import { MAX_URGENT } from "./cell.js";
import { describeEnd, startFailure, type Ending } from "./incarnation-end.js";
import { Ledger, type Ask, type Entry } from "./ledger.js";
import { idAfter, isAfter, type Delivery } from "./protocol.js";
import { openTransport, placeName } from "./open-transport.js";
import { RestartIntensity, type Supervision } from "./supervisor.js";
import type { PlaceEnd, Placement, Progress, Transport, TransportListener } from "./transport.js";
import { snapshot } from "./sendable.js";
import { WaitingRoom, type Refusal } from "./waiting-room.js";

/** What an actor is spawned with; everything is decided by then. */
export interface ActorPlan {
  readonly address: string;
  readonly parent: string | undefined;
  readonly definition: AnyActorDefinition;
  readonly args: unknown;
  readonly placement: Placement;
  readonly capacity: number;
  readonly supervision: Supervision;
  readonly startDeadlineMs: number;
  readonly clock: Clock;
}

/** Whom an actor reports to. */
export interface Reports {
  down(down: Down): void;
  restarted(incarnation: number): void;
  deadLetter(letter: DeadLetter): void;
  event(event: string, data: unknown): void;
  /** An incarnation takes messages. */
  ready(): void;
  /** Its supervision hands the crash on. */
  escalate(down: Down): void;
  /** Its children, which are to end before it. */
  stopChildren(options: StopOptions): Promise<unknown>[];
  /** The last incarnation has ended. */
  ended(): void;
}

const DEFAULT_GRACE_MS = 5_000;

/** Of one actor at most so many waits are told: of a thousand askers the oldest say enough. */
const MAX_WAITS = 16;

/** A message that waits for the actor to be running again. */
interface Held {
  readonly delivery: Delivery;
  readonly transfer: readonly Movable[];
}

/**
 * The near end of an actor: takes messages, keeps account of them, and follows the actor from incarnation to
 * incarnation. It is one file because the account and the life cannot be told apart: each end of an incarnation settles
 * the messages it leaves, and each message needs to know which incarnation has it.
 */
export class SupervisedActor implements ActorRef<Protocol> {
  readonly #plan: ActorPlan;
  readonly #reports: Reports;
  readonly #urgent: ReadonlySet<PropertyKey>;
  readonly #ledger: Ledger;
  readonly #room: WaitingRoom;
  #intensity: RestartIntensity;
  readonly #watchers = new Set<{ readonly hear: (down: Down) => void }>();
  readonly #whenStarted: { resolve: () => void; reject: (error: unknown) => void };
  readonly #whenEnded: () => void;
  readonly #hasEnded: Promise<void>;
  /** Resolves at the first start, and rejects when that fails. */
  readonly started: Promise<void>;

  #state: ActorState = "starting";
  #incarnation = 0;
  #transport: Transport | undefined;
  /** Of the newest incarnation, its end included. */
  #progress: Progress | undefined;
  #acceptedId = 0;
  /** Of all messages, and of those that are not urgent. */
  #deliveredId = 0;
  #deliveredUserId = 0;
  #held: Held[] = [];
  /** Why the incarnation is about to end, once that is known. */
  #ending: Ending | undefined;
  #isReady = false;
  /** The parent decides what follows: it restarts, or has ended. */
  #followsParent = false;
  #lastDown: Down | undefined;
  #cancelTimer: () => void = () => {};

  constructor(plan: ActorPlan, reports: Reports) {
    this.#plan = plan;
    this.#reports = reports;
    this.#urgent = new Set(plan.definition.urgent);
    this.#room = new WaitingRoom(plan.clock);
    this.#intensity = new RestartIntensity(plan.supervision);
    this.#ledger = new Ledger(plan.clock, (entry, ask) => this.#expire(entry, ask));
    const started = deferred();
    const ended = deferred();
    this.started = started.promise;
    this.#whenStarted = started;
    this.#hasEnded = ended.promise;
    this.#whenEnded = ended.resolve;
    this.#begin();
  }

  get address(): string {
    return this.#plan.address;
  }

  status(): ActorStatus {
    const { currentId = 0, busySince } = this.#progress ?? {};
    const current = busySince === undefined ? undefined : this.#ledger.get(currentId);
    const oldestAskAt = this.#ledger.oldestAskAt();
    return {
      address: this.address,
      ...(this.#plan.parent === undefined ? {} : { parent: this.#plan.parent }),
      placement: this.#plan.placement.at,
      state: this.#state,
      incarnation: this.#incarnation,
      restarts: Math.max(0, this.#incarnation - 1),
      mailbox: { depth: this.#ledger.size, capacity: this.#plan.capacity },
      ...(current && busySince !== undefined ? { current: { type: current.type, since: busySince } } : {}),
      ...(oldestAskAt === undefined ? {} : { oldestAskAt }),
    };
  }

  /** Who waits for this actor's answers, the oldest first. */
  waits(): readonly Wait[] {
    const waits: Wait[] = [];
    for (const { type, acceptedAt, ask } of this.#ledger.waiting()) {
      if (waits.length === MAX_WAITS) break;
      const { by = "the driver", why = `the answer to "${type}"`, deadlineAt } = ask;
      waits.push({ by, on: this.address, why, since: acceptedAt, deadlineAt });
    }
    return waits;
  }

  tell(type: string, message: unknown, options: TellOptions = {}): Accepted {
    const refusal = this.#refusal(type);
    if (refusal === "gone")
      this.#reports.deadLetter({ address: this.address, type, reason: "gone", outcome: "not-run" });
    if (refusal) return refusal;
    this.#accept(type, message, options.transfer, undefined);
    return "accepted";
  }

  ask(type: string, message: unknown, options: AskOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { deadlineMs, signal, transfer, by, why } = options;
      if (signal?.aborted) return reject(this.#refused("aborted", type, signal));
      const refusal = this.#refusal(type);
      if (refusal) return reject(this.#refused(refusal === "full" ? "deadline" : "gone", type, signal));
      let entry: Entry | undefined;
      const giveUp = (): void => {
        if (entry) this.#abandon(entry, signal?.reason);
      };
      if (signal) {
        // One signal may end any number of asks; Node would warn of a leak from the eleventh on.
        setMaxListeners(0, signal);
        signal.addEventListener("abort", giveUp, { once: true });
      }
      const release = (): void => signal?.removeEventListener("abort", giveUp);
      try {
        const deadlineAt = this.#plan.clock.now() + deadlineMs;
        entry = this.#accept(type, message, transfer, { deadlineAt, deadlineMs, by, why, resolve, reject, release });
      } catch (error) {
        release();
        reject(error);
      }
    });
  }

  async offer(type: string, message: unknown, options: AskOptions): Promise<void> {
    const { signal, transfer } = options;
    const refuse = (why: Refusal): Error => this.#refused(why, type, signal);
    if (signal?.aborted) throw refuse("aborted");
    const send = (): void => void this.#accept(type, message, transfer, undefined);
    const refusal = this.#refusal(type);
    if (refusal === "gone") throw refuse("gone");
    if (refusal === "full") return this.#room.wait(options, send, refuse);
    send();
  }

  watch(listener: (down: Down) => void): () => void {
    const watcher = { hear: listener };
    this.#watchers.add(watcher);
    const last = this.#lastDown;
    if (this.#state === "ended" && last) {
      queueMicrotask(() => {
        if (this.#watchers.delete(watcher)) callListener(() => listener(last));
      });
    }
    return () => void this.#watchers.delete(watcher);
  }

  stop({ graceMs = DEFAULT_GRACE_MS }: StopOptions = {}): Promise<void> {
    if (this.#state === "restarting" && !this.#transport) this.#end();
    if (this.#state === "ended") return this.#hasEnded;
    const isReady = this.#state === "running" || (this.#state === "stopping" && !this.#ending);
    this.#state = "stopping";
    this.#cancelTimer();
    this.#room.close();
    const isGraceful = isReady && graceMs > 0;
    const end = (): void => {
      if (isGraceful) this.#transport?.stop(this.#deliveredUserId);
      else this.#kill({ reason: "killed" });
    };
    const children = this.#reports.stopChildren({ graceMs });
    if (children.length === 0) end();
    else void Promise.all(children).then(end);
    if (isGraceful) this.#cancelTimer = this.#plan.clock.after(graceMs, () => this.#kill({ reason: "killed" }));
    return this.#hasEnded;
  }

  /** A child gave up: this counts as a crash. */
  crash(error: unknown): void {
    this.#kill({ reason: "escalated", error });
  }

  /** The parent has gone down: this ends too, and begins anew with it, if it does. */
  parentDown(restarts: boolean): void {
    if (this.#state === "ended" || this.#state === "stopping") return;
    this.#cancelTimer();
    this.#followsParent = restarts;
    if (!restarts) this.#state = "stopping";
    if (this.#transport) this.#kill({ reason: "parent-down" });
    else if (!restarts) this.#end();
  }

  /** The parent runs again. */
  parentReady(): void {
    if (!this.#followsParent || this.#state === "ended") return;
    this.#followsParent = false;
    this.#intensity = new RestartIntensity(this.#plan.supervision);
    // Otherwise its end is still to come, and it begins then.
    if (!this.#transport) this.#begin();
  }

  #refusal(type: string): "full" | "gone" | undefined {
    if (this.#state === "ended" || this.#state === "stopping") return "gone";
    if (this.#urgent.has(type)) return this.#ledger.urgent >= MAX_URGENT ? "full" : undefined;
    return this.#room.isEmpty && this.#hasRoom() ? undefined : "full";
  }

  #hasRoom(): boolean {
    return this.#ledger.size - this.#ledger.urgent < this.#plan.capacity;
  }

  #refused(why: Refusal, type: string, signal: AbortSignal | undefined): Error {
    const about = { address: this.address, type, outcome: "not-run" } as const;
    switch (why) {
      case "aborted":
        return errors.askAborted(about, signal?.reason);
      case "deadline":
        return errors.mailboxFull({ ...about, capacity: this.#plan.capacity });
      case "gone":
        return errors.actorGone({ ...about, state: this.#state }, this.#lastDown?.error);
    }
  }

  /** A message has left the mailbox. */
  #remove(id: number): Entry | undefined {
    const entry = this.#ledger.remove(id);
    if (entry && !this.#room.isEmpty) this.#room.admit(() => this.#hasRoom());
    return entry;
  }

  #accept(type: string, message: unknown, transfer: readonly Movable[] = [], ask: Ask | undefined): Entry {
    const id = idAfter(this.#acceptedId);
    const isUrgent = this.#urgent.has(type);
    const delivery: Delivery = { id, type, message, asks: ask !== undefined, isUrgent };
    // An incarnation that is known to end takes nothing more; the next one will.
    if (this.#state === "running" && !this.#ending) this.#deliver({ delivery, transfer });
    else this.#hold({ delivery, transfer });
    this.#acceptedId = id;
    const entry: Entry = { id, type, acceptedAt: this.#plan.clock.now(), ask, isTold: ask === undefined, isUrgent };
    this.#ledger.add(entry);
    return entry;
  }

  #deliver({ delivery, transfer }: Held): void {
    this.#transport?.deliver(delivery, transfer);
    this.#deliveredId = delivery.id;
    if (!delivery.isUrgent) this.#deliveredUserId = delivery.id;
  }

  /** Keeps a message as it is now: between threads a sender may use its own again once it is sent. */
  #hold({ delivery, transfer }: Held): void {
    if (this.#plan.placement.at === "inline") this.#held.push({ delivery, transfer });
    else {
      const message = snapshot(delivery.message, transfer, { address: this.address, type: delivery.type });
      this.#held.push({ delivery: { ...delivery, message }, transfer: [] });
    }
  }

  #deliverHeld(): void {
    const held = this.#held;
    this.#held = [];
    // Those whose askers gave up have left the ledger.
    for (const one of held) if (this.#ledger.get(one.delivery.id)) this.#deliver(one);
  }

  /** A message that waits here is taken back; one that was delivered is cancelled, and keeps its place until it ends. */
  #withdraw(entry: Entry): Outcome {
    if (isAfter(entry.id, this.#deliveredId)) {
      this.#remove(entry.id);
      return "not-run";
    }
    this.#transport?.cancel(entry.id);
    return "unknown";
  }

  #expire(entry: Entry, ask: Ask): void {
    const { deadlineMs } = ask;
    const outcome = this.#withdraw(entry);
    ask.reject(
      errors.askDeadline({ address: this.address, type: entry.type, deadlineMs, state: this.#state, outcome }),
    );
  }

  #abandon(entry: Entry, reason: unknown): void {
    const ask = this.#ledger.giveUp(entry);
    if (!ask) return;
    const outcome = this.#withdraw(entry);
    ask.reject(errors.askAborted({ address: this.address, type: entry.type, outcome }, reason));
  }

  /** Takes the answer of a message that is through; an answer that nobody waits for is a dead letter. */
  #answer(id: number, outcome: Outcome | "done", settle: (ask: Ask, entry: Entry) => void): void {
    const entry = this.#ledger.get(id);
    if (!entry) return;
    const ask = this.#ledger.giveUp(entry);
    if (ask) settle(ask, entry);
    else if (outcome !== "not-run" && !entry.isTold)
      this.#reports.deadLetter({ address: this.address, type: entry.type, reason: "late", outcome });
    this.#remove(id);
  }

  #failed(id: number, outcome: Outcome, cause: unknown): void {
    const told = this.#ledger.get(id);
    if (told?.isTold && outcome === "failed")
      this.#reports.deadLetter({ address: this.address, type: told.type, reason: "failed", outcome, error: cause });
    this.#answer(id, outcome, (ask, { type }) =>
      ask.reject(errors.handlerFailed({ address: this.address, type, outcome, problem: problemOf(cause) }, cause)),
    );
  }

  #begin(): void {
    const { definition, args, address, capacity, clock, placement, startDeadlineMs } = this.#plan;
    this.#incarnation += 1;
    this.#ending = undefined;
    this.#isReady = false;
    const resumes = this.#plan.supervision.onThrow === "resume";
    const incarnation = { definition, args, address, capacity, clock, resumes, number: this.#incarnation };
    this.#cancelTimer = clock.after(startDeadlineMs, () => {
      const problem = `it was not ready within ${startDeadlineMs} ms`;
      this.#kill({ reason: "not-started", error: errors.actorNotStarted({ address, problem }) });
    });
    try {
      // Held messages keep their ids, which lie after this one.
      this.#deliveredUserId = this.#deliveredId;
      this.#transport = openTransport(placement, { ...incarnation, lastId: this.#deliveredId }, this.#listener());
      this.#progress = this.#transport.progress;
    } catch (error) {
      this.#ending = { reason: "not-started", error };
      queueMicrotask(() => this.#incarnationEnded({}));
    }
  }

  #kill(ending: Ending): void {
    this.#ending ??= ending;
    this.#transport?.kill();
  }

  #listener(): TransportListener {
    return {
      ready: () => this.#ready(),
      reply: (id, value) => this.#answer(id, "done", (ask) => ask.resolve(value)),
      fail: (id, outcome, cause) => this.#failed(id, outcome, cause),
      done: (ids) => {
        for (const id of ids) this.#remove(id);
      },
      event: (event, data) => this.#reports.event(event, data),
      crashed: (error) => this.#kill({ reason: "error", error }),
      stopped: () => this.#kill({ reason: "stopped" }),
      ended: (end) => this.#incarnationEnded(end),
    };
  }

  #ready(): void {
    if (this.#state === "stopping") return;
    this.#cancelTimer();
    this.#isReady = true;
    this.#state = "running";
    this.#deliverHeld();
    if (this.#incarnation === 1) this.#whenStarted.resolve();
    else this.#reports.restarted(this.#incarnation);
    this.#reports.ready();
  }

  #incarnationEnded(end: PlaceEnd): void {
    this.#cancelTimer();
    this.#transport = undefined;
    const mayRestart = this.#state === "running" || this.#state === "restarting";
    const isParents = this.#ending?.reason === "parent-down";
    const delayMs = mayRestart && !isParents ? this.#intensity.next(this.#plan.clock.now()) : undefined;
    const escalates = mayRestart && !isParents && delayMs === undefined && this.#escalates();
    const restarts = delayMs !== undefined || escalates || (isParents && mayRestart);
    const down: Down = {
      address: this.address,
      incarnation: this.#incarnation,
      ...describeEnd(this.#ending, end, this.#isReady),
      restarts,
    };
    this.#lastDown = down;
    this.#state = restarts ? "restarting" : "ended";
    this.#lose(this.#deliveredId, down);
    if (delayMs !== undefined) this.#cancelTimer = this.#plan.clock.after(delayMs, () => this.#begin());
    // The parent may have come back before this one was through.
    if (isParents && restarts && !this.#followsParent) this.#begin();
    if (escalates) this.#followsParent = true;
    this.#reports.down(down);
    for (const { hear } of [...this.#watchers]) callListener(() => hear(down));
    if (escalates) this.#reports.escalate(down);
    if (!restarts) this.#end();
  }

  #escalates(): boolean {
    const { supervision, parent } = this.#plan;
    return supervision.onGivingUp === "escalate" && supervision.restart === "permanent" && parent !== undefined;
  }

  /** No further incarnation. */
  #end(): void {
    const down = this.#lastDown;
    this.#cancelTimer();
    this.#state = "ended";
    this.#held = [];
    this.#room.close();
    if (down) this.#lose(this.#acceptedId, down);
    this.#ledger.close();
    this.#reports.ended();
    this.#whenEnded();
    // Does nothing once the actor has started.
    this.#whenStarted.reject(startFailure({ address: this.address, place: placeName(this.#plan.placement) }, down));
  }

  /** Settles every message up to `lastId` that the dead incarnation left. */
  #lose(lastId: number, { reason, error }: Down): void {
    const startedId = this.#progress?.startedId;
    for (const entry of this.#ledger.removeUpTo(lastId)) {
      const outcome = startedId === undefined || isAfter(entry.id, startedId) ? "not-run" : "unknown";
      const { type, isTold } = entry;
      const ask = this.#ledger.giveUp(entry);
      ask?.reject(errors.actorDown({ address: this.address, type, reason, outcome }, error));
      if (isTold) this.#reports.deadLetter({ address: this.address, type, reason: "lost", outcome });
    }
    if (this.#state !== "ended") this.#room.admit(() => this.#hasRoom());
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** What a handler threw, in one line. */
function problemOf(cause: unknown): string {
  return (cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)).split("\n", 1)[0] ?? "";
}
