import type { Clock } from "./clock.js";

/** Why somebody who waited for a place does not get one. */
export type Refusal = "deadline" | "aborted" | "gone";

interface Guest {
  readonly enter: () => void;
  readonly refuse: (why: Refusal) => void;
}

/** Senders that wait for a place in a mailbox, first come, first served. */
export class WaitingRoom {
  readonly #clock: Clock;
  readonly #guests = new Set<Guest>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#guests.size === 0;
  }

  /** Resolves when it is this sender's turn; whoever calls `admit` has sent its message by then. */
  wait(
    { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal?: AbortSignal },
    send: () => void,
    refused: (why: Refusal) => Error,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#guests.delete(guest);
        cancel();
        signal?.removeEventListener("abort", abort);
      };
      const guest: Guest = {
        enter: () => {
          leave();
          try {
            send();
            resolve();
          } catch (error) {
            reject(error);
          }
        },
        refuse: (why) => {
          leave();
          reject(refused(why));
        },
      };
      const abort = (): void => guest.refuse("aborted");
      const cancel = this.#clock.after(deadlineMs, () => guest.refuse("deadline"));
      signal?.addEventListener("abort", abort, { once: true });
      this.#guests.add(guest);
    });
  }

  /** Lets senders in while there is room. */
  admit(hasRoom: () => boolean): void {
    for (const guest of this.#guests) {
      if (!hasRoom()) return;
      guest.enter();
    }
  }

  /** Nobody will ever get in. */
  close(): void {
    for (const guest of this.#guests) guest.refuse("gone");
  }
}
