import { decodeError } from "./error-codec.js";
import type { ActorFrame } from "./protocol.js";
import type { Upstream } from "./transport.js";

/** Takes in what an actor's `outlet` posted. */
export function hearFrame(frame: ActorFrame, listener: Upstream): void {
  switch (frame.kind) {
    case "reply":
      return listener.reply(frame.id, frame.value, []);
    case "done":
      return listener.done(frame.ids);
    case "fail":
      return listener.fail(frame.id, frame.outcome, decodeError(frame.error));
    case "event":
      return listener.event(frame.event, frame.data);
    case "ready":
      return listener.ready();
    case "crashed":
      return listener.crashed(decodeError(frame.error));
    case "stopped":
      return listener.stopped();
  }
}
