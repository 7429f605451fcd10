import { errors } from "../errors.js";
import { TroupeError } from "../error-catalogue.js";
import type { About } from "./byte-writer.js";
import type { FrameWriter } from "./frame-stream.js";
import type { LinkFrame } from "./link-frame.js";

/**
 * Sends a frame to another process.
 *
 * @throws MESSAGE_NOT_CLONEABLE, BUFFER_DETACHED; then nothing was sent
 */
export function sendFrame(
  writer: FrameWriter,
  lane: "system" | "user",
  channel: number,
  frame: LinkFrame,
  about: About,
): void {
  try {
    writer.send(lane, channel, frame, about);
  } catch (cause) {
    if (cause instanceof TroupeError && cause.code === "BUFFER_DETACHED") throw cause;
    throw errors.messageNotCloneable({ ...about, problem: String(cause), outcome: "not-run" }, cause);
  }
}
