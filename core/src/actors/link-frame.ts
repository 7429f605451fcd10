import { errors } from "../errors.js";
import type { WireError } from "./error-codec.js";
import { ByteReader } from "./byte-reader.js";
import type { About, ByteWriter } from "./byte-writer.js";
import type { ActorFrame, SystemFrame } from "./protocol.js";

/** What an actor outside of this process is started with. */
export interface HostedStart {
  readonly module: string;
  readonly exportName: string;
  readonly args: unknown;
  readonly address: string;
  readonly incarnation: number;
  readonly capacity: number;
  readonly lastId: number;
  readonly resumes: boolean;
}

/** What was started, and since when it runs, of an actor that is busy. */
export interface Beat {
  readonly channel: number;
  readonly startedId: number;
  readonly currentId: number;
  readonly busySince: number;
}

/** A frame between two processes. Those of one actor share a channel; channel 0 is the link's own. */
export type LinkFrame =
  | { readonly kind: "spawn"; readonly start: HostedStart; readonly within: "inline" | "thread" | "process" }
  | SystemFrame
  | { readonly kind: "kill" }
  | ActorFrame
  | {
      readonly kind: "ended";
      readonly startedId: number;
      readonly exitCode?: number;
      readonly signal?: string;
      readonly error?: WireError;
    }
  /** Both sides say so at least three times a lease; who is silent for a whole lease is out of reach. */
  | { readonly kind: "beat"; readonly busy: readonly Beat[] }
  | { readonly kind: "welcome"; readonly node: string; readonly leaseMs: number };

/** The frame and its channel, from the wire. */
export interface Received {
  readonly channel: number;
  readonly frame: LinkFrame;
}

/** The three frames of nearly every message are written without field names. */
const DELIVER = 1;
const REPLY = 2;
const OTHER = 3;
const DONE = 4;
/** Flags of a delivery. */
const ASKS = 1;
const URGENT = 2;
/** Where a frame of deliveries says how many there are: after its kind, channel and first id. */
const COUNT_AT = 9;

/** @throws BUFFER_DETACHED, MEMORY_NOT_SHARED, DataCloneError; then the writer holds what it held before */
export function writeFrame(bytes: ByteWriter, channel: number, frame: LinkFrame, about: About): void {
  switch (frame.kind) {
    case "deliver": {
      const { id, type, message, asks, isUrgent } = frame.delivery;
      bytes.byte(DELIVER);
      bytes.uint32(channel);
      bytes.int32(id);
      bytes.uint32(1);
      bytes.byte((asks ? ASKS : 0) | (isUrgent ? URGENT : 0));
      bytes.text(type);
      return bytes.value(message, about);
    }
    case "reply":
      bytes.byte(REPLY);
      bytes.uint32(channel);
      bytes.int32(frame.id);
      return bytes.value(frame.value, about);
    case "done":
      bytes.byte(DONE);
      bytes.uint32(channel);
      bytes.uint32(frame.ids.length);
      for (const id of frame.ids) bytes.int32(id);
      return;
    default:
      bytes.byte(OTHER);
      bytes.uint32(channel);
      return bytes.value(frame, about);
  }
}

/**
 * Says in a finished frame how many deliveries it holds: `writeFrame` wrote the first, and the messages of those whose ids
 * follow, of the same type and flags, were written behind it.
 */
export function setDeliveries(body: Buffer, count: number): void {
  body.writeUInt32LE(count, COUNT_AT);
}

/** @throws FRAME_NOT_VALID; deliveries before the one that is wrong were heard */
export function readFrame(body: Buffer, hear: (received: Received) => void): void {
  const bytes = new ByteReader(body);
  const kind = bytes.byte();
  const channel = bytes.uint32();
  switch (kind) {
    case DELIVER: {
      const first = bytes.int32();
      const count = bytes.uint32();
      const flags = bytes.byte();
      const type = bytes.text();
      const [asks, isUrgent] = [(flags & ASKS) !== 0, (flags & URGENT) !== 0];
      for (let index = 0; index < count; index += 1) {
        const delivery = { id: (first + index) | 0, type, message: bytes.value(), asks, isUrgent };
        hear({ channel, frame: { kind: "deliver", delivery } });
      }
      return;
    }
    case REPLY:
      return hear({ channel, frame: { kind: "reply", id: bytes.int32(), value: bytes.value() } });
    case DONE: {
      const ids: number[] = [];
      for (let left = bytes.uint32(); left > 0; left -= 1) ids.push(bytes.int32());
      return hear({ channel, frame: { kind: "done", ids } });
    }
    case OTHER: {
      const frame = bytes.value();
      if (typeof frame !== "object" || frame === null || !("kind" in frame))
        throw errors.frameNotValid({ problem: "it has no kind" });
      // Peers are authenticated and speak the same version: what has a kind is a frame.
      return hear({ channel, frame: frame as LinkFrame });
    }
    default:
      throw errors.frameNotValid({ problem: `it begins with ${kind}` });
  }
}
