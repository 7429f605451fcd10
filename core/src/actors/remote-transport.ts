import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { decodeError } from "./error-codec.js";
import { hearFrame } from "./hear-frame.js";
import type { Beat, LinkFrame } from "./link-frame.js";
import { portableModule } from "./portable-module.js";
import { ProgressBoard } from "./progress-board.js";
import type { Delivery } from "./protocol.js";
import type { Incarnation, Transport, TransportListener, Within } from "./transport.js";

/** Sends one frame of a channel. */
export type Send = (lane: "system" | "user", channel: number, frame: LinkFrame, type: string) => void;

/** One incarnation on another node. It waits for a link when there is none, and ends with the link that it began on. */
export class RemoteTransport implements Transport {
  readonly progress: ProgressBoard;
  readonly channel: number;
  readonly #incarnation: Incarnation;
  readonly #within: Within;
  readonly #listener: TransportListener;
  readonly #forget: () => void;
  #send: Send | undefined;
  #sentId: number;
  #hasEnded = false;

  constructor(
    channel: number,
    incarnation: Incarnation,
    within: Within,
    listener: TransportListener,
    forget: () => void,
  ) {
    this.channel = channel;
    this.#incarnation = incarnation;
    this.#within = within;
    this.#listener = listener;
    this.#forget = forget;
    this.#sentId = incarnation.lastId;
    this.progress = ProgressBoard.after(incarnation.lastId);
  }

  get address(): string {
    return this.#incarnation.address;
  }

  /** Begins on a link. */
  begin(send: Send): void {
    this.#send = send;
    const { definition, number, args, address, capacity, lastId, resumes } = this.#incarnation;
    const named = { module: portableModule(definition.module), exportName: definition.exportName };
    const start = { ...named, args, address, incarnation: number, capacity, lastId, resumes };
    try {
      send("user", this.channel, { kind: "spawn", start, within: this.#within }, "init");
    } catch (error) {
      this.#listener.crashed(error);
      this.#end(error);
    }
  }

  deliver(delivery: Delivery): void {
    this.#send?.(delivery.isUrgent ? "system" : "user", this.channel, { kind: "deliver", delivery }, delivery.type);
    this.#sentId = delivery.id;
  }

  cancel(id: number): void {
    this.#send?.("system", this.channel, { kind: "cancel", id }, "cancel");
  }

  stop(lastId: number): void {
    this.#send?.("system", this.channel, { kind: "stop", lastId }, "stop");
  }

  kill(): void {
    if (this.#send) this.#send("system", this.channel, { kind: "kill" }, "kill");
    else this.#end(undefined);
  }

  hear(frame: LinkFrame): void {
    switch (frame.kind) {
      case "ended": {
        const { startedId, exitCode, signal, error } = frame;
        this.progress.set({ startedId, currentId: startedId, busySince: undefined });
        return this.#ended({
          ...(exitCode === undefined ? {} : { exitCode }),
          ...(signal === undefined ? {} : { signal }),
          ...(error === undefined ? {} : { error: decodeError(error) }),
        });
      }
      case "spawn":
      case "deliver":
      case "cancel":
      case "stop":
      case "kill":
      case "beat":
      case "welcome":
        throw errors.frameNotValid({ problem: `an actor does not say "${frame.kind}"` });
      default:
        return hearFrame(frame, this.#listener);
    }
  }

  /** What the node says it runs. */
  beat({ startedId, currentId, busySince }: Beat): void {
    this.progress.set({ startedId, currentId, busySince });
  }

  idle(): void {
    this.progress.rest();
  }

  /** The link is gone: whatever was sent may have run. */
  lost(error: TroupeError): void {
    this.progress.set({ startedId: this.#sentId, currentId: this.progress.currentId, busySince: undefined });
    this.#end(error);
  }

  #end(error: unknown): void {
    this.#ended(error === undefined ? {} : { error });
  }

  #ended(end: Parameters<TransportListener["ended"]>[0]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#forget();
    // Whoever was answered in this turn goes first.
    setImmediate(() => this.#listener.ended(end));
  }
}
