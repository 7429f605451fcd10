import type { Language, Limits } from "../sandbox.js";
import { Guest, type GuestChannel, type GuestEnd } from "./guest.js";

/** The parts of the limits that a guest has from its start. */
export type GuestLimits = Pick<Limits, "memoryMb" | "outputBytes">;

/** Starts a guest of a kind; words where there is nothing to start. */
export type LaunchGuest = (language: Language, limits: GuestLimits) => Promise<GuestChannel | string>;

/** A start takes some 20 ms, and with a whole interpreter half a second; a machine that needs this long is in trouble. */
const READY_DEADLINE_MS = 60_000;
/** Kinds of guests that are kept ready. */
const MOST_KINDS = 4;

/** Guests that have been started ahead of time: their interpreter waits for a program. */
export class GuestPool {
  readonly #launch: LaunchGuest;
  readonly #warm: number;
  readonly #ready = new Map<string, Promise<Guest | GuestEnd>[]>();
  readonly #alive = new Set<Guest>();
  #isClosed = false;

  /** @param warm guests kept ready of each kind that is asked for */
  constructor(launch: LaunchGuest, warm: number) {
    this.#launch = launch;
    this.#warm = warm;
  }

  /** A guest that has reported ready, and no one else's; or why none could be had. */
  async take(language: Language, limits: GuestLimits): Promise<Guest | GuestEnd> {
    const key = keyOf(language, limits);
    const ready = this.#ready.get(key) ?? [];
    // The kind asked for last is the last to go.
    this.#ready.delete(key);
    this.#ready.set(key, ready);
    const guest = ready.shift() ?? this.start(language, limits);
    if (!this.#isClosed) while (ready.length < this.#warm) ready.push(this.start(language, limits));
    for (const [oldest, guests] of this.#ready) {
      if (this.#ready.size <= MOST_KINDS) break;
      this.#ready.delete(oldest);
      for (const one of guests) void one.then((started) => (started instanceof Guest ? started.close() : undefined));
    }
    const taken = await guest;
    // One that died while it waited says nothing about the program that asks now.
    return taken instanceof Guest && !taken.isAlive && !this.#isClosed ? this.take(language, limits) : taken;
  }

  /** Keeps a guest ready that has not been told anything. */
  keep(language: Language, limits: GuestLimits, guest: Guest): void {
    this.#ready.set(keyOf(language, limits), [Promise.resolve(guest)]);
  }

  /** Ends every guest, taken or not, and waits until they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#ready.values()].flat());
    await Promise.all([...this.#alive].map((guest) => guest.close()));
  }

  /** A guest of its own that has reported ready, or why there is none. */
  async start(language: Language, limits: GuestLimits): Promise<Guest | GuestEnd> {
    const channel = await this.#launch(language, limits);
    if (typeof channel === "string") return failed(channel);
    // stdout and a result, and the tail of stderr.
    const guest = new Guest(channel, 2 * limits.outputBytes + 8192);
    this.#alive.add(guest);
    void guest.ended.then(() => this.#alive.delete(guest));
    const frame = await guest.receive(READY_DEADLINE_MS);
    if ("words" in frame && frame.words[0] === "ready") return guest;
    await guest.close();
    if ("silent" in frame && frame.silent === "ended") return frame.end;
    return failed(`the ${language} guest did not report ready within ${READY_DEADLINE_MS} ms`);
  }
}

function keyOf(language: Language, { memoryMb, outputBytes }: GuestLimits): string {
  return `${language} ${memoryMb} ${outputBytes}`;
}

function failed(problem: string): GuestEnd {
  return { problem, isOutOfMemory: false, says: problem };
}
