import type { Outcome } from "./actor-ref.js";

/** A message that nobody waits for any more, or that nobody will answer. */
export interface DeadLetter {
  readonly address: string;
  readonly type: string;
  /**
   * "gone": told to an actor that has ended. "lost": told, accepted, and the actor ended first. "late": an answer came
   * after its asker had given up. "failed": its handler threw, and the actor was told to go on. "full": a scheduled
   * message found no place.
   */
  readonly reason: "gone" | "lost" | "late" | "failed" | "full";
  readonly outcome: Outcome | "done";
  /** What the handler threw. */
  readonly error?: unknown;
}

/** Counts the dead letters of a system and reports each. They are counted, not kept: a letter can hold large buffers. */
export class DeadLetters {
  readonly #report: (letter: DeadLetter) => void;
  readonly #counts = { gone: 0, lost: 0, late: 0, failed: 0, full: 0 };

  constructor(report: (letter: DeadLetter) => void) {
    this.#report = report;
  }

  /** Number of letters so far by reason. */
  get counts(): Readonly<Record<DeadLetter["reason"], number>> {
    return { ...this.#counts };
  }

  add(letter: DeadLetter): void {
    this.#counts[letter.reason] += 1;
    this.#report(letter);
  }
}
