import { Script } from "node:vm";
import { errors } from "../errors.js";

/** How long the hooks of one call may take together, unless the config says otherwise. */
export const HOOK_DEADLINE_MS = 10_000;

/** The hook that runs on this thread now, for the error of one that does not come back. */
export interface RunningHook {
  readonly plugin: string;
  readonly version: string;
  readonly hook: string;
  readonly about: string;
  readonly step: number;
}

// Only a script of its own can be interrupted in the middle of a loop, and a script sees nothing but globals.
const seat: { work: (() => unknown) | undefined; running: RunningHook | undefined } = {
  work: undefined,
  running: undefined,
};
const SEAT = Symbol.for("troupe.hooks.seat");
Object.defineProperty(globalThis, SEAT, { value: seat, configurable: true });
const script = new Script('globalThis[Symbol.for("troupe.hooks.seat")].work()');

/** Names the hook that is about to run. */
export function enterHook(hook: RunningHook | undefined): void {
  seat.running = hook;
}

/**
 * Runs hooks on this thread and ends them, wherever they are, when they take too long: a loop without end would hold up
 * the whole run and answer no message. It costs about 0.1 ms, so callers put many hooks into one call.
 *
 * @throws HOOK_DEADLINE naming the hook that ran when time was up; and what `work` throws
 */
export function withinDeadline<Result>(ms: number, work: () => Result): Result {
  if (seat.work) return work();
  let result: { readonly value: Result } | undefined;
  seat.work = () => {
    result = { value: work() };
  };
  try {
    script.runInThisContext({ timeout: ms, displayErrors: false });
  } catch (cause) {
    const isLate = cause instanceof Error && "code" in cause && cause.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
    if (!isLate) throw cause;
    const hook = seat.running ?? { plugin: "", version: "", hook: "", about: "", step: 0 };
    throw errors.hookDeadline({ ...hook, ms }, cause);
  } finally {
    seat.work = undefined;
    seat.running = undefined;
  }
  // The script ran to its end, so `work` gave its result.
  return result!.value;
}
