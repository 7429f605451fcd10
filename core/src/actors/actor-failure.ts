import { TroupeError } from "../error-catalogue.js";

/** Codes of an actor's own end or silence, whatever it was told. */
const CODES = ["ASK_DEADLINE", "ACTOR_DOWN", "ACTOR_GONE"];

/** Whether an ask failed by the actor rather than by what it was asked: a fresh actor may do better. */
export function isActorFailure(error: unknown): error is TroupeError {
  return error instanceof TroupeError && CODES.includes(error.code);
}

const STARTS = 3;

/** Starts an actor, and tries again when it ends before it is ready: what killed one may kill the next while it starts. */
export async function startTried<Started>(start: () => Promise<Started>): Promise<Started> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      const hasEnded = isActorFailure(error) || (error instanceof TroupeError && error.code === "ACTOR_NOT_STARTED");
      if (tries === STARTS || !hasEnded) throw error;
    }
  }
}
