import type { Movable } from "./movable.js";
import { errors } from "../errors.js";
import { encodeError } from "./error-codec.js";
import type { ActorFrame } from "./protocol.js";
import type { Upstream } from "./transport.js";

/** Handled messages are reported at the end of the turn, or when this many have gathered. */
const MAX_DONE_AT_ONCE = 256;

/**
 * What an actor says, as frames.
 *
 * @param post sends a frame; throws when its value cannot travel, and has sent nothing then
 */
export function outlet(
  { address, capacity }: { readonly address: string; readonly capacity: number },
  post: (frame: ActorFrame, transfer?: readonly Movable[]) => void,
): Upstream {
  let done: number[] = [];
  const reportDone = (): void => {
    if (done.length === 0) return;
    const ids = done;
    done = [];
    post({ kind: "done", ids });
  };
  const atOnce = Math.min(MAX_DONE_AT_ONCE, Math.ceil(capacity / 4));
  const fail: Upstream["fail"] = (id, outcome, error) => {
    reportDone();
    post({ kind: "fail", id, outcome, error: encodeError(error) });
  };
  return {
    ready: () => post({ kind: "ready" }),
    reply(id, value, transfer) {
      reportDone();
      try {
        post({ kind: "reply", id, value }, transfer);
      } catch (cause) {
        fail(id, "failed", errors.replyNotCloneable({ address, problem: String(cause) }, cause));
      }
    },
    fail,
    done(ids) {
      if (done.length === 0) setImmediate(reportDone);
      done.push(...ids);
      if (done.length >= atOnce) reportDone();
    },
    event(event, data) {
      reportDone();
      post({ kind: "event", event, data });
    },
    crashed(error) {
      reportDone();
      post({ kind: "crashed", error: encodeError(error) });
    },
    stopped() {
      reportDone();
      post({ kind: "stopped" });
    },
  };
}
