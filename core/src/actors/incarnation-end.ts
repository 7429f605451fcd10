import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { Down, DownReason } from "./actor-ref.js";
import type { PlaceEnd } from "./transport.js";

/** What was decided about an incarnation before it ended. */
export interface Ending {
  readonly reason: DownReason;
  readonly error?: unknown;
}

/** What the error of a place says about its end. */
const BY_CODE: readonly (readonly [string, DownReason])[] = [
  ["ERR_WORKER_OUT_OF_MEMORY", "out-of-memory"],
  ["PROCESS_OUT_OF_MEMORY", "out-of-memory"],
  ["NODE_UNREACHABLE", "unreachable"],
];

/** What is known of an end: what was decided about it, or else what its place left behind. */
export function describeEnd(
  decided: Ending | undefined,
  { exitCode, signal, error }: PlaceEnd,
  wasReady: boolean,
): Ending & { readonly exitCode?: number; readonly signal?: string } {
  if (decided && (wasReady || decided.reason !== "error")) return decided;
  for (const [code, reason] of BY_CODE) if (hasCode(error, code)) return { reason, error };
  const cause = decided?.error ?? error;
  const reason = wasReady ? (cause === undefined || signal !== undefined ? "exit" : "error") : "not-started";
  return {
    reason,
    ...(cause === undefined ? {} : { error: cause }),
    ...(cause !== undefined || exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Why an actor never started, from the end of its first incarnation; undefined when it was stopped before that. */
export function startFailure(
  { address, place }: { readonly address: string; readonly place: string },
  down: Down | undefined,
): TroupeError {
  const { error, exitCode } = down ?? {};
  // The start deadline has said it all.
  if (error instanceof TroupeError && hasCode(error, "ACTOR_NOT_STARTED")) return error;
  const problem =
    exitCode !== undefined
      ? `its ${place} ended with exit code ${exitCode}`
      : error === undefined
        ? "it was stopped before it was ready"
        : `its start failed with "${error instanceof Error ? error.message : String(error)}"`;
  return errors.actorNotStarted({ address, problem }, error);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
