import type { Readable, Writable } from "node:stream";
import { FrameReader, type Frame } from "./frame-reader.js";

/** Why no frame came: the harness's clock ran out, or the guest is gone. */
export type Silence = { readonly silent: "deadline" } | { readonly silent: "ended"; readonly end: GuestEnd };

/** What was found at a guest's end. */
export interface GuestEnd {
  /** In words, when the boundary could not be set up. */
  readonly problem: string | undefined;
  readonly isOutOfMemory: boolean;
  /** Of the guest, where it ended by itself. */
  readonly exitCode?: number;
  /** How it went, in words. */
  readonly says: string;
}

/** What reaches one guest, whatever keeps it in. */
export interface GuestChannel {
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves once the guest is gone, and with it all that ran inside. */
  readonly ended: Promise<GuestEnd>;
  /** Ends the guest with all that runs inside; `ended` follows. */
  kill(): void;
}

/** A guest: frames to it, frames from it, and an end that always comes. */
export class Guest {
  /** Resolves once it is gone, and with it all that ran inside. */
  readonly ended: Promise<GuestEnd>;
  readonly #channel: GuestChannel;
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #end: GuestEnd | undefined;
  #isTakenOver = false;

  constructor(channel: GuestChannel, largestFrame: number) {
    this.#channel = channel;
    const reader = new FrameReader(largestFrame);
    channel.output.on("data", (chunk: Buffer) => {
      const frames = this.#isTakenOver ? [] : reader.push(chunk);
      if (frames === undefined) {
        this.#isTakenOver = true;
        this.kill();
      } else if (frames.length > 0) {
        this.#frames.push(...frames);
        this.#wake?.();
      }
    });
    // A channel may have waited for a listener.
    channel.output.resume();
    // A guest that is gone reads no more and says no more; its end says why.
    channel.input.on("error", () => {});
    channel.output.on("error", () => {});
    this.ended = channel.ended.then((end) => {
      this.#end = end;
      this.#wake?.();
      return end;
    });
  }

  /** Whether it can still be asked anything. */
  get isAlive(): boolean {
    return this.#end === undefined && !this.#isTakenOver;
  }

  send(head: string, payload: Buffer): void {
    if (!this.isAlive) return;
    this.#channel.input.write(Buffer.concat([Buffer.from(`${head} ${payload.length}\n`), payload]));
  }

  /** The next frame, or why there is none. One caller at a time. */
  async receive(deadlineMs: number): Promise<Frame | Silence> {
    const first = this.#frames.shift();
    if (first !== undefined) return first;
    if (this.#end !== undefined) return { silent: "ended", end: this.#end };
    let timer: NodeJS.Timeout | undefined;
    const isLate = await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), deadlineMs);
      this.#wake = () => resolve(false);
    });
    clearTimeout(timer);
    this.#wake = undefined;
    const frame = this.#frames.shift();
    if (frame !== undefined) return frame;
    if (isLate) return { silent: "deadline" };
    return { silent: "ended", end: await this.ended };
  }

  /** Ends it; `ended` resolves when all of it is gone. */
  kill(): void {
    this.#channel.kill();
  }

  /** Ends it and waits until nothing of it is left. */
  async close(): Promise<void> {
    this.kill();
    await this.ended;
  }
}
