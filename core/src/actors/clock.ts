/**
 * The only source of time. Rely on: `now()` never runs backwards within a process, a callback runs at most once and
 * never before `after()` returned.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls back once, no earlier than `delayMs` from now.
   *
   * @param delayMs milliseconds, at least 0; more than 24.8 days counts as 24.8 days
   * @returns cancels the call; does nothing once it was made
   */
  after(delayMs: number, callback: () => void): () => void;
}

/** Longest delay that a timer of Node keeps; a longer one would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

const ORIGIN = performance.timeOrigin;

/** The clock of the machine. It counts on from the time at which the process started, so setting the clock is not seen. */
export const systemClock: Clock = {
  now: () => ORIGIN + performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, LONGEST_DELAY_MS));
    return () => clearTimeout(timer);
  },
};

/** Keeps the process from ending although nothing else is under way, until the returned function is called. */
export function keepProcessAlive(): () => void {
  const timer = setInterval(() => {}, LONGEST_DELAY_MS);
  return () => clearInterval(timer);
}
