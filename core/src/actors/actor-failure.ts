import { TroupeError } from "../error-catalogue.js";

/** Codes of an actor's own end or silence, whatever it was told. */
const CODES = ["ASK_DEADLINE", "ACTOR_DOWN", "ACTOR_GONE"];

/** Whether an ask failed by the actor rather than by what it was asked: a fresh actor may do better. */
export function isActorFailure(error: unknown): error is TroupeError {
  return error instanceof TroupeError && CODES.includes(error.code);
}
