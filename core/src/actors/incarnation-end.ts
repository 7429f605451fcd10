import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { Down, DownReason } from "./actor-ref.js";

/** What was decided about an incarnation before it ended. */
export interface Ending {
  readonly reason: DownReason;
  readonly error?: unknown;
}

/** What is known of an end: what was decided about it, or else what the thread left behind. */
export function describeEnd(
  decided: Ending | undefined,
  { exitCode, error }: { readonly exitCode?: number; readonly error?: unknown },
  wasReady: boolean,
): Ending & { readonly exitCode?: number } {
  if (decided && (wasReady || decided.reason !== "error")) return decided;
  if (hasCode(error, "ERR_WORKER_OUT_OF_MEMORY")) return { reason: "out-of-memory", error };
  const cause = decided?.error ?? error;
  const reason = wasReady ? (cause === undefined ? "exit" : "error") : "not-started";
  return {
    reason,
    ...(cause === undefined ? {} : { error: cause }),
    ...(cause !== undefined || exitCode === undefined ? {} : { exitCode }),
  };
}

/** Why an actor never started, from the end of its first incarnation; undefined when it was stopped before that. */
export function startFailure(address: string, down: Down | undefined): TroupeError {
  const { error, exitCode } = down ?? {};
  // The start deadline has said it all.
  if (error instanceof TroupeError && hasCode(error, "ACTOR_NOT_STARTED")) return error;
  const problem =
    exitCode !== undefined
      ? `its thread ended with exit code ${exitCode}`
      : error === undefined
        ? "it was stopped before it was ready"
        : `its start failed with "${error instanceof Error ? error.message : String(error)}"`;
  return errors.actorNotStarted({ address, problem }, error);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
