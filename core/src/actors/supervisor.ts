/** What follows when an actor crashes. */
export interface Supervision {
  /** "permanent" restarts after every crash; "temporary" never does. A stop is never followed by a restart. */
  readonly restart: "permanent" | "temporary";
  /**
   * What a throw of a told message is, which has nobody to go to: a crash unless given; with "resume" a dead letter, and
   * the actor goes on with its state as that message left it.
   */
  readonly onThrow?: "crash" | "resume";
  /**
   * What follows when no restart is left: the actor ends, unless given; "escalate" makes it a crash of its parent, whose
   * restart begins all its children anew. Without a parent the whole system ends with ACTOR_ESCALATED.
   */
  readonly onGivingUp?: "stop" | "escalate";
  /** Restarts allowed within `withinMs`; the next crash ends the actor for good. */
  readonly maxRestarts: number;
  readonly withinMs: number;
  /**
   * Pause before the second restart within `withinMs`, doubled for each further one up to the second number. The first is
   * made at once: most crashes are one message's fault, and a pause only helps against those that come back.
   */
  readonly backoffMs: readonly [number, number];
}

/** Three restarts a minute. */
export const defaultSupervision: Supervision = {
  restart: "permanent",
  maxRestarts: 3,
  withinMs: 60_000,
  backoffMs: [50, 2_000],
};

/**
 * Counts the restarts of one actor and decides about the next.
 *
 * @example
 * const restarts = new RestartIntensity({ restart: "permanent", maxRestarts: 1, withinMs: 1000, backoffMs: [10, 80] });
 * restarts.next(0); // 0: restart at once
 * restarts.next(20); // undefined: no more
 */
export class RestartIntensity {
  readonly #supervision: Supervision;
  #restartedAt: readonly number[] = [];

  constructor(supervision: Supervision) {
    this.#supervision = supervision;
  }

  /**
   * What to do about a crash at time `now`.
   *
   * @returns milliseconds to wait before the restart; undefined for none
   */
  next(now: number): number | undefined {
    const { restart, maxRestarts, withinMs, backoffMs } = this.#supervision;
    this.#restartedAt = this.#restartedAt.filter((at) => now - at < withinMs);
    if (restart === "temporary" || this.#restartedAt.length >= maxRestarts) return undefined;
    const [shortest, longest] = backoffMs;
    const before = this.#restartedAt.length;
    this.#restartedAt = [...this.#restartedAt, now];
    return before === 0 ? 0 : Math.min(longest, shortest * 2 ** (before - 1));
  }
}
