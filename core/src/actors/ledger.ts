import type { Clock } from "./clock.js";
import { isAfter } from "./protocol.js";

/** An accepted message that the actor has not finished. */
export interface Entry {
  readonly id: number;
  readonly type: string;
  readonly acceptedAt: number;
  /** Undefined when nobody waits: it was told, or its asker gave up. */
  ask: Ask | undefined;
  /** Told messages count as dead letters when they are lost; given-up asks were reported. */
  readonly isTold: boolean;
  readonly isUrgent: boolean;
}

/** Whoever waits for an answer, and until when. */
export interface Ask {
  readonly deadlineAt: number;
  readonly deadlineMs: number;
  readonly by: string | undefined;
  readonly why: string | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Stops listening to the asker's signal. */
  readonly release: () => void;
}

/**
 * Accepted and unfinished messages of one actor, in the order of acceptance. Each holds a place in the mailbox until the
 * actor says it is through, even if its asker has given up: a stuck actor is full, not endlessly patient.
 *
 * One timer serves all deadlines: it runs to the earliest one, and on the way most asks are long answered.
 */
export class Ledger {
  readonly #clock: Clock;
  readonly #expired: (entry: Entry, ask: Ask) => void;
  readonly #entries = new Map<number, Entry>();
  #urgent = 0;
  #alarmAt = Infinity;
  #cancelAlarm: () => void = () => {};

  constructor(clock: Clock, expired: (entry: Entry, ask: Ask) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: number): Entry | undefined {
    return this.#entries.get(id);
  }

  /** Number of messages that are urgent; they take no place of the others. */
  get urgent(): number {
    return this.#urgent;
  }

  /** Since when the oldest asker has waited. */
  oldestAskAt(): number | undefined {
    for (const entry of this.#entries.values()) if (entry.ask) return entry.acceptedAt;
    return undefined;
  }

  /** Who waits for an answer, the oldest first. */
  *waiting(): Iterable<Entry & { readonly ask: Ask }> {
    for (const entry of this.#entries.values()) if (entry.ask) yield { ...entry, ask: entry.ask };
  }

  add(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    if (entry.isUrgent) this.#urgent += 1;
    if (entry.ask && entry.ask.deadlineAt < this.#alarmAt) this.#setAlarm(entry.ask.deadlineAt);
  }

  /** The message is through; its place is free. */
  remove(id: number): Entry | undefined {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry?.isUrgent) this.#urgent -= 1;
    return entry;
  }

  /** Removes and gives every message up to `lastId`, oldest first. */
  removeUpTo(lastId: number): readonly Entry[] {
    const removed = [...this.#entries.values()].filter((entry) => !isAfter(entry.id, lastId));
    for (const entry of removed) this.remove(entry.id);
    return removed;
  }

  /** Nobody waits for this message any more; its place stays taken. */
  giveUp(entry: Entry): Ask | undefined {
    const { ask } = entry;
    entry.ask = undefined;
    ask?.release();
    return ask;
  }

  /** Lets go of the timer. */
  close(): void {
    this.#cancelAlarm();
  }

  #ring(): void {
    this.#alarmAt = Infinity;
    const now = this.#clock.now();
    let next = Infinity;
    for (const entry of this.#entries.values()) {
      if (!entry.ask) continue;
      if (entry.ask.deadlineAt <= now) {
        const ask = this.giveUp(entry);
        if (ask) this.#expired(entry, ask);
      } else next = Math.min(next, entry.ask.deadlineAt);
    }
    if (next < this.#alarmAt) this.#setAlarm(next);
  }

  #setAlarm(at: number): void {
    this.#cancelAlarm();
    this.#alarmAt = at;
    this.#cancelAlarm = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#ring());
  }
}
