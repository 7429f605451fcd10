import type * as Grpc from "@grpc/grpc-js";
import type { Clock } from "./clock.js";
import { encodeError } from "./error-codec.js";
import { FrameReader, FrameWriter } from "./frame-stream.js";
import { afterSlice, InlineTurns } from "./inline-turns.js";
import { Lease } from "./lease.js";
import type { HostedStart, LinkFrame, Received } from "./link-frame.js";
import { loadDefinition } from "./load-definition.js";
import { LocalTransport } from "./local-transport.js";
import { outlet } from "./outlet.js";
import { localModule } from "./portable-module.js";
import { ProcessTransport } from "./process-transport.js";
import type { ActorFrame } from "./protocol.js";
import type { PlaceEnd, Transport, TransportListener, Within } from "./transport.js";
import { WorkerTransport } from "./worker-transport.js";

/** Of a peer that does not read: beyond this many bytes its link is cut. */
const MAX_QUEUED_BYTES = 1 << 28;

/** An actor of another node. */
interface Hosted {
  transport: Transport | undefined;
  isKilled: boolean;
}

/** One link of another node, and the actors that live here for it. They end with it. */
export class HostedLink {
  readonly #call: Grpc.ServerDuplexStream<Buffer, Buffer>;
  readonly #writer: FrameWriter;
  readonly #lease: Lease;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #tell: (what: string) => void;
  readonly #hosted = new Map<number, Hosted>();
  readonly #whenEmpty: (() => void)[] = [];
  #isClosed = false;

  constructor(
    call: Grpc.ServerDuplexStream<Buffer, Buffer>,
    clock: Clock,
    leaseMs: number,
    tell: (what: string) => void,
  ) {
    this.#call = call;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#tell = tell;
    this.#writer = new FrameWriter(call);
    this.#lease = new Lease(clock, leaseMs, {
      beat: () => this.#beat(),
      expired: (silentMs) => void this.close(`nothing was heard of it for ${Math.round(silentMs)} ms`),
    });
    const reader = new FrameReader((received) => this.#hear(received));
    call.on("data", (bytes: Buffer) => {
      if (this.#isClosed) return;
      this.#lease.heard();
      try {
        reader.push(bytes);
      } catch (error) {
        void this.close(String(error));
      }
    });
    call.on("drain", () => this.#writer.drained());
    for (const end of ["end", "cancelled", "error", "close"]) call.on(end, () => void this.close("it went away"));
  }

  get actors(): number {
    return this.#hosted.size;
  }

  welcome(node: string): void {
    this.#send("system", 0, { kind: "welcome", node, leaseMs: this.#leaseMs });
  }

  /** Ends every actor of this link; resolves when none runs any more. */
  async close(why: string): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#lease.end();
      this.#tell(`unlinked: ${why}`);
      for (const hosted of this.#hosted.values()) this.#kill(hosted);
      this.#call.end();
    }
    if (this.#hosted.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  #hear({ channel, frame }: Received): void {
    if (frame.kind === "spawn") return void this.#host(channel, frame.start, frame.within);
    const hosted = this.#hosted.get(channel);
    if (!hosted) return;
    switch (frame.kind) {
      case "deliver":
        return hosted.transport?.deliver(frame.delivery, []);
      case "cancel":
        return hosted.transport?.cancel(frame.id);
      case "stop":
        return hosted.transport?.stop(frame.lastId);
      case "kill":
        return this.#kill(hosted);
    }
  }

  #kill(hosted: Hosted): void {
    hosted.isKilled = true;
    hosted.transport?.kill();
  }

  async #host(channel: number, start: HostedStart, within: Within): Promise<void> {
    const hosted: Hosted = { transport: undefined, isKilled: false };
    this.#hosted.set(channel, hosted);
    const listener: TransportListener = {
      ...outlet(start, (frame: ActorFrame) => this.#send("user", channel, frame)),
      ended: (end) => this.#ended(channel, start, hosted, end),
    };
    const module = localModule(start.module);
    const about = { ...start, number: start.incarnation, clock: this.#clock };
    try {
      if (within === "inline") {
        const definition = await loadDefinition({ ...start, module });
        if (!hosted.isKilled)
          hosted.transport = new LocalTransport({ ...about, definition }, listener, new InlineTurns(afterSlice));
      } else {
        const named = { ...about, definition: { module, exportName: start.exportName } };
        hosted.transport =
          within === "thread"
            ? new WorkerTransport(named, listener, undefined)
            : new ProcessTransport(named, listener, undefined);
      }
    } catch (error) {
      listener.crashed(error);
    }
    if (!hosted.transport) listener.ended({});
    else if (hosted.isKilled) hosted.transport.kill();
  }

  #ended(channel: number, { lastId }: HostedStart, { transport }: Hosted, { exitCode, signal, error }: PlaceEnd): void {
    this.#send("user", channel, {
      kind: "ended",
      startedId: transport?.progress.startedId ?? lastId,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      ...(error === undefined ? {} : { error: encodeError(error) }),
    });
    this.#hosted.delete(channel);
    if (this.#hosted.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  #beat(): void {
    const busy = [...this.#hosted].flatMap(([channel, { transport }]) => {
      const { startedId, currentId, busySince } = transport?.progress ?? {};
      if (busySince === undefined || startedId === undefined || currentId === undefined) return [];
      return [{ channel, startedId, currentId, busySince }];
    });
    this.#send("system", 0, { kind: "beat", busy });
  }

  #send(lane: "system" | "user", channel: number, frame: LinkFrame): void {
    if (this.#isClosed) return;
    this.#writer.send(lane, channel, frame, { address: "", type: frame.kind });
    if (this.#writer.queuedBytes > MAX_QUEUED_BYTES) void this.close("it does not read what is sent to it");
  }
}
