import type { Protocol } from "./actor.js";
import type { ActorRef } from "./actor-ref.js";
import type { Clock } from "./clock.js";

/** When a message is told. */
export interface Schedule {
  /** Milliseconds from now to the first time. */
  readonly afterMs: number;
  /** Milliseconds from one time to the next; absent tells it once. */
  readonly everyMs?: number;
}

/** Tells a message by the clock until its actor has ended; see `ActorSystem.schedule`. */
export function schedule<P extends Protocol, K extends keyof P & string>(
  ref: ActorRef<P>,
  type: K,
  message: P[K]["in"],
  { afterMs, everyMs }: Schedule,
  clock: Clock,
  full: () => void,
  over: () => void,
): () => void {
  let cancelTimer: () => void = () => {};
  const end = (): void => {
    cancelTimer();
    unwatch();
    over();
  };
  const unwatch = ref.watch(({ restarts }) => {
    if (!restarts) end();
  });
  const tellAfter = (delayMs: number): void => {
    cancelTimer = clock.after(delayMs, () => {
      if (ref.tell(type, message) === "full") full();
      if (everyMs === undefined) end();
      else tellAfter(everyMs);
    });
  };
  tellAfter(afterMs);
  return end;
}
