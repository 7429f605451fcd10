import { errors } from "../errors.js";
import { ByteWriter, type About } from "./byte-writer.js";
import { readFrame, setDeliveries, writeFrame, type LinkFrame, type Received } from "./link-frame.js";
import { idAfter, type Delivery } from "./protocol.js";

/** Frames travel in segments of at most this many bytes, so that a system frame waits behind one of them at most. */
const SEGMENT = 1 << 16;
const HEADER = 4;
const MORE = 0x8000_0000;
const SYSTEM = 0x4000_0000;
const LENGTH = 0x3fff_ffff;
/** Reassembled frames beyond this are refused. */
const MAX_FRAME = 1 << 30;

/** Messages share a frame up to this size, so that none waits long for those behind it to be put together again. */
const MAX_SHARED = 1 << 14;

const SETTLED = Promise.resolve();

/** Where bytes go: a pipe, or a stream of messages. */
export interface Sink {
  /** False when it has taken the bytes and wants no more until it is drained. */
  write(bytes: Buffer): boolean;
}

/** The frame that the encoder holds: deliveries of one type on one channel, whose ids follow one another. */
interface Shared {
  readonly channel: number;
  readonly type: string;
  readonly asks: boolean;
  nextId: number;
  count: number;
}

/**
 * Puts frames on a stream of bytes in two lanes: system frames overtake user frames that still wait here. What is sent in
 * one turn leaves as one write, messages of one type to one actor in one frame; when the stream is full, frames wait here.
 */
export class FrameWriter {
  readonly #sink: Sink;
  readonly #encoder = new ByteWriter();
  readonly #system: Buffer[] = [];
  readonly #user: Buffer[] = [];
  /** Bytes of the first user frame that are gone already. */
  #gone = 0;
  #queuedBytes = 0;
  #isFull = false;
  /** Absent when the encoder is empty. */
  #shared: Shared | undefined;
  #isFlushDue = false;

  readonly #flushDue = (): void => {
    this.#isFlushDue = false;
    this.flush();
  };

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Bytes that wait for the stream to take them. */
  get queuedBytes(): number {
    return this.#queuedBytes + this.#encoder.length;
  }

  /** @throws BUFFER_DETACHED, MEMORY_NOT_SHARED, DataCloneError; then nothing was sent */
  send(lane: "system" | "user", channel: number, frame: LinkFrame, about: About): void {
    const delivery = lane === "user" && frame.kind === "deliver" ? frame.delivery : undefined;
    const shared = delivery && this.#sharedWith(channel, delivery);
    if (shared) {
      this.#encoder.value(delivery.message, about);
      shared.nextId = idAfter(delivery.id);
      shared.count += 1;
    } else {
      this.#endShared();
      this.#begin(channel, frame, about);
      if (delivery)
        this.#shared = { channel, type: delivery.type, asks: delivery.asks, nextId: idAfter(delivery.id), count: 1 };
      else this.#queue(lane);
    }
    if (this.#isFlushDue || this.#isFull) return;
    this.#isFlushDue = true;
    // Behind every reaction of this turn: one to a place that became free sends the rest of what waited for it.
    void SETTLED.then(() => process.nextTick(this.#flushDue));
  }

  /** The frame that a delivery can share. */
  #sharedWith(channel: number, { id, type, asks }: Delivery): Shared | undefined {
    const shared = this.#shared;
    return shared?.channel === channel &&
      shared.type === type &&
      shared.asks === asks &&
      shared.nextId === id &&
      this.#encoder.length < MAX_SHARED
      ? shared
      : undefined;
  }

  #begin(channel: number, frame: LinkFrame, about: About): void {
    try {
      this.#encoder.uint32(0);
      writeFrame(this.#encoder, channel, frame, about);
    } catch (error) {
      this.#encoder.clear();
      throw error;
    }
  }

  #endShared(): void {
    const shared = this.#shared;
    this.#shared = undefined;
    if (shared) setDeliveries(this.#queue("user").subarray(HEADER), shared.count);
  }

  /** What the encoder holds is a frame. */
  #queue(lane: "system" | "user"): Buffer {
    const bytes = this.#encoder.take();
    bytes.writeUInt32LE(lane === "system" ? (SYSTEM | (bytes.length - HEADER)) >>> 0 : bytes.length - HEADER, 0);
    (lane === "system" ? this.#system : this.#user).push(bytes);
    this.#queuedBytes += bytes.length;
    return bytes;
  }

  /** The stream takes bytes again. */
  drained(): void {
    this.#isFull = false;
    this.flush();
  }

  /** Gives the stream as much as it takes. */
  flush(): void {
    if (!this.#isFull) this.#endShared();
    while (!this.#isFull) {
      const parts = this.#nextParts();
      const [first] = parts;
      if (!first) return;
      const bytes = parts.length === 1 ? first : Buffer.concat(parts);
      this.#isFull = !this.#sink.write(bytes);
    }
  }

  /** System frames, then as many user frames as fit into a segment's size, or a piece of one that is larger. */
  #nextParts(): readonly Buffer[] {
    const parts = this.#system.splice(0);
    for (const { length } of parts) this.#queuedBytes -= length;
    let size = 0;
    let count = 0;
    for (; count < this.#user.length && this.#gone === 0; count += 1) {
      const length = this.#user[count]?.length ?? 0;
      if (size + length > SEGMENT) break;
      size += length;
    }
    this.#queuedBytes -= size;
    if (count > 0) parts.push(...this.#user.splice(0, count));
    else parts.push(...this.#piece());
    return parts;
  }

  #piece(): readonly Buffer[] {
    const [whole] = this.#user;
    if (!whole) return [];
    const start = HEADER + this.#gone;
    const end = Math.min(whole.length, start + SEGMENT);
    const isLast = end === whole.length;
    const header = Buffer.allocUnsafe(HEADER);
    header.writeUInt32LE(isLast ? end - start : (MORE | (end - start)) >>> 0, 0);
    this.#gone = isLast ? 0 : this.#gone + (end - start);
    this.#queuedBytes -= end - start + (isLast ? HEADER : 0);
    if (isLast) this.#user.shift();
    return [header, whole.subarray(start, end)];
  }
}

/** Takes frames off a stream of bytes that a `FrameWriter` at the other end fills. */
export class FrameReader {
  readonly #hear: (received: Received) => void;
  readonly #parts: { readonly system: Buffer[]; readonly user: Buffer[] } = { system: [], user: [] };
  #rest: Buffer | undefined;

  constructor(hear: (received: Received) => void) {
    this.#hear = hear;
  }

  /**
   * Hears the frames that these bytes complete.
   *
   * @throws FRAME_NOT_VALID; the link is of no use any more then
   */
  push(chunk: Buffer): void {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    while (bytes.length >= HEADER) {
      const header = bytes.readUInt32LE(0);
      const end = HEADER + (header & LENGTH);
      if (end - HEADER > MAX_FRAME) throw errors.frameNotValid({ problem: `it claims ${end - HEADER} bytes` });
      if (bytes.length < end) break;
      this.#segment(header, bytes.subarray(HEADER, end));
      bytes = bytes.subarray(end);
    }
    // A copy: the chunk's memory belongs to the stream.
    if (bytes.length > 0) this.#rest = Buffer.from(bytes);
  }

  #segment(header: number, body: Buffer): void {
    const parts = this.#parts[(header & SYSTEM) === 0 ? "user" : "system"];
    if ((header & MORE) !== 0) {
      parts.push(Buffer.from(body));
      if (parts.length * SEGMENT > MAX_FRAME) throw errors.frameNotValid({ problem: "it has no end" });
      return;
    }
    const whole = parts.length === 0 ? body : Buffer.concat([...parts.splice(0), body]);
    readFrame(whole, this.#hear);
  }
}
