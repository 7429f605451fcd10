import { isActorFailure } from "../actors/actor-failure.js";
import type { ActorRef } from "../actors/actor-ref.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { LearnProtocol } from "./learn-actor.js";

/** A learner that lives answers this soon, unless it is busy: then it has not ended. */
const SIGN_OF_LIFE_MS = 5_000;

/** Codes of errors that the end of a learner causes elsewhere. */
const FOLLOWS = ["ACTOR_DOWN", "ACTOR_GONE", "ENGINE_GONE"];

/** LEARNER_ENDED with what ended it, when `error` came of its end; undefined when it lives. */
export async function learnerEnd(learner: ActorRef<LearnProtocol>, error: unknown): Promise<TroupeError | undefined> {
  if (!chainOf(error).some((one) => one instanceof TroupeError && FOLLOWS.includes(one.code))) return undefined;
  // A sampler may notice before the learner's own end is heard of.
  const end = await learner.ask("describe", null, { deadlineMs: SIGN_OF_LIFE_MS }).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!isActorFailure(end) || end.code === "ASK_DEADLINE") return undefined;
  const chain = [...chainOf(error), ...chainOf(end)];
  const killed = chain.find((one) => one instanceof TroupeError && one.code === "PROCESS_KILLED");
  const last = chainOf(end).at(-1);
  const how =
    killed instanceof TroupeError
      ? `${String(killed.details["signal"])} ended its process`
      : last instanceof Error
        ? last.message
        : String(last);
  return errors.learnerEnded({ how }, end);
}

function chainOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at !== undefined && !chain.includes(at); at = at instanceof Error ? at.cause : undefined)
    chain.push(at);
  return chain;
}
