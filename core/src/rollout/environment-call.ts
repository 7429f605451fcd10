import { systemClock } from "../actors/clock.js";
import type { Reply } from "../environments/episode.js";
import { TroupeError } from "../error-catalogue.js";
import { withinDeadline } from "../hooks/hook-deadline.js";
import type { EpisodeOutcome } from "../records/verdict.js";
import { verdictProblem } from "../records/verdict.js";

/** What came of asking an environment: its reply, or how it failed. */
export type Answer =
  | { readonly reply: Reply; readonly failure?: never }
  | { readonly reply?: never; readonly failure: EpisodeOutcome };

/**
 * Asks an environment and waits for the answer, a loop without end included. Nothing that an environment does throws
 * here: it failed, and how is data.
 *
 * @param about names the call in reasons: "reset", "step 2"
 * @param call gets a signal that is aborted with the caller's, and when time is up
 */
export async function askEnvironment(
  about: string,
  deadlineMs: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Reply | Promise<Reply>,
): Promise<Answer> {
  const stop = new AbortController();
  let onAbort = (): void => {};
  let cancel = (): void => {};
  const late: Answer = {
    failure: { kind: "timeout", reason: `environment-late: ${about} took over ${deadlineMs} ms` },
  };
  try {
    const stopped = new Promise<"stopped">((resolve) => {
      onAbort = () => {
        stop.abort(signal.reason);
        resolve("stopped");
      };
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
    });
    const reply = withinDeadline(deadlineMs, () => call(stop.signal));
    const timeUp = new Promise<"late">((resolve) => (cancel = systemClock.after(deadlineMs, () => resolve("late"))));
    const first = await Promise.race([reply, timeUp, stopped]);
    if (first === "late") {
      stop.abort();
      return late;
    }
    if (first === "stopped") return { failure: { kind: "infra", reason: `stopped: ${about} was not waited for` } };
    const problem = replyProblem(first);
    return problem === undefined
      ? { reply: first }
      : { failure: { kind: "error", reason: `environment-answered: ${about} gave ${problem}` } };
  } catch (cause) {
    if (cause instanceof TroupeError && cause.code === "HOOK_DEADLINE") return late;
    return { failure: { kind: "error", reason: `environment-threw: ${about}: ${String(cause)}` } };
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** What keeps a value from being a reply. */
export function replyProblem(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "no reply";
  // Each property is checked before it is relied on.
  const { state, messages, isDone, outcome } = value as Partial<Reply>;
  if (state === undefined) return "a reply without state";
  if (typeof isDone !== "boolean") return "a reply without isDone";
  if (!Array.isArray(messages)) return "a reply without messages";
  for (const message of messages) {
    // Both properties are checked before they are relied on.
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    if (typeof content !== "string") return "a message without text";
    if (role !== "system" && role !== "user" && role !== "tool") return `a message of role ${JSON.stringify(role)}`;
  }
  if (outcome === undefined) return undefined;
  if (!isDone) return "an outcome before the end";
  return verdictProblem(outcome);
}
