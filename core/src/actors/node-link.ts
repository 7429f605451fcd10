import { hostname } from "node:os";
import type * as Grpc from "@grpc/grpc-js";
import type { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { systemClock, type Clock } from "./clock.js";
import { FrameReader, FrameWriter } from "./frame-stream.js";
import { Lease } from "./lease.js";
import type { Received } from "./link-frame.js";
import {
  checkSecurity,
  HEADERS,
  LINK_PATH,
  linkMethod,
  loadGrpc,
  PROTOCOL,
  type NodeIdentity,
  type NodeSecurity,
} from "./node-service.js";
import { RemoteTransport } from "./remote-transport.js";
import { sendFrame } from "./send-frame.js";
import type { Incarnation, RemoteHost, Transport, TransportListener, Within } from "./transport.js";

/** How a node is reached. */
export interface NodeOptions {
  /** "host:port". */
  readonly address: string;
  readonly security: NodeSecurity;
  /** A name of its own unless given. */
  readonly identity?: NodeIdentity;
  /** Milliseconds of silence after which the other side counts as out of reach; 10 000 unless given. */
  readonly leaseMs?: number;
  readonly clock?: Clock;
  /** Told when the link is up, and when it broke and why. */
  readonly onLink?: (change: "up" | TroupeError) => void;
}

const DEFAULT_LEASE_MS = 10_000;
/** Pause before dialling again, doubled each time up to the second. */
const REDIAL_MS = [50, 2_000] as const;
/** Lets bulk data of the node arrive at full speed. */
const FLOW_WINDOW = 1 << 23;

/** Answers of a node after which dialling again is of no use. */
const REFUSALS: Readonly<Record<number, string>> = {
  7: "it does not accept this token",
  9: "a newer incarnation of this node has taken its place",
  12: "it speaks another protocol",
  16: "it does not accept this token",
};

/**
 * Dials a node that `listenNode` opened. One stream carries all actors of this pair of nodes. When it breaks, every
 * incarnation there ends as "unreachable", and the link is dialled again for those that follow; the node ends what runs
 * for an older link before it starts anything for a newer one.
 *
 * Rejects with NODE_UNREACHABLE, NODE_REFUSED or NODE_NOT_SECURED.
 *
 * @example
 * const security = { token: "at least 16 characters" };
 * const host = await listenNode({ address: "127.0.0.1:0", security }); // on another machine: `troupe node`
 * const node = await connectNode({ address: host.address, security });
 * // system.spawn(counter, { from: 1 }, { placement: { at: "remote", node } })
 * await node.close();
 * await host.close();
 */
export async function connectNode(options: NodeOptions): Promise<NodeLink> {
  checkSecurity(options.address, options.security);
  const link = new NodeLink(await loadGrpc(), options);
  try {
    await link.dial();
  } catch (error) {
    await link.close();
    throw error;
  }
  return link;
}

/** The link to one node; see `connectNode`. */
export class NodeLink implements RemoteHost {
  readonly address: string;
  readonly #grpc: typeof Grpc;
  readonly #options: NodeOptions;
  readonly #identity: NodeIdentity;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #transports = new Map<number, RemoteTransport>();
  readonly #waiting = new Set<RemoteTransport>();
  #channels = 0;
  #connections = 0;
  #failures = 0;
  #live: { readonly writer: FrameWriter; readonly cut: (error: TroupeError) => void } | undefined;
  #isClosed = false;
  #refusal: TroupeError | undefined;
  #cancelRedial: () => void = () => {};

  constructor(grpc: typeof Grpc, options: NodeOptions) {
    this.#grpc = grpc;
    this.#options = options;
    this.address = options.address;
    this.#identity = options.identity ?? { name: ownName(), incarnation: 1 };
    this.#clock = options.clock ?? systemClock;
    this.#leaseMs = options.leaseMs ?? DEFAULT_LEASE_MS;
  }

  get isUp(): boolean {
    return this.#live !== undefined;
  }

  open(incarnation: Incarnation, within: Within, listener: TransportListener): Transport {
    const channel = ++this.#channels;
    const transport = new RemoteTransport(channel, incarnation, within, listener, () => {
      this.#transports.delete(channel);
      this.#waiting.delete(transport);
    });
    if (this.#refusal) throw this.#refusal;
    if (this.#isClosed) throw errors.nodeUnreachable({ address: this.address, problem: "the link was closed" });
    if (this.#live) this.#begin(transport);
    else this.#waiting.add(transport);
    return transport;
  }

  /** Ends every actor there, and the link. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRedial();
    const error = errors.nodeUnreachable({ address: this.address, problem: "the link was closed" });
    this.#live?.cut(error);
    for (const transport of [...this.#waiting]) transport.lost(error);
  }

  /** Resolves when the node has welcomed this one. */
  dial(): Promise<void> {
    const { token, tls } = this.#options.security;
    const grpc = this.#grpc;
    const credentials = tls
      ? grpc.credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert))
      : grpc.credentials.createInsecure();
    const client = new grpc.Client(this.address, credentials, {
      // Each dial is a connection of its own, with the pauses decided here.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc-node.flow_control_window": FLOW_WINDOW,
    });
    const headers = new grpc.Metadata();
    headers.set(HEADERS.protocol, String(PROTOCOL));
    headers.set(HEADERS.name, this.#identity.name);
    headers.set(HEADERS.incarnation, String(this.#identity.incarnation));
    headers.set(HEADERS.connection, String(++this.#connections));
    headers.set(HEADERS.leaseMs, String(this.#leaseMs));
    if (token !== undefined) headers.set(HEADERS.token, token);
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(
      LINK_PATH,
      linkMethod.requestSerialize,
      linkMethod.responseDeserialize,
      headers,
    );
    return new Promise((resolve, reject) => {
      const writer = new FrameWriter(stream);
      let isOver = false;
      const cut = (error: TroupeError): void => {
        if (isOver) return;
        isOver = true;
        lease.end();
        stream.cancel();
        client.close();
        if (this.#live?.writer === writer) this.#linkLost(error);
        reject(error);
      };
      const lease = new Lease(this.#clock, this.#leaseMs, {
        beat: () => this.#live && writer.send("system", 0, { kind: "beat", busy: [] }, { address: "", type: "beat" }),
        expired: (silentMs) => cut(this.#unreachable(`nothing was heard of it for ${Math.round(silentMs)} ms`)),
      });
      const reader = new FrameReader((received) => {
        if (received.frame.kind === "welcome") {
          this.#failures = 0;
          this.#live = { writer, cut };
          resolve();
          this.#linkUp();
        } else this.#hear(received);
      });
      stream.on("data", (bytes: Buffer) => {
        if (isOver) return;
        lease.heard();
        try {
          reader.push(bytes);
        } catch (error) {
          cut(this.#unreachable(`it sends what is no frame: ${String(error)}`));
        }
      });
      stream.on("drain", () => writer.drained());
      stream.on("error", (error: Grpc.ServiceError) => cut(this.#describe(error)));
      stream.on("end", () => cut(this.#unreachable("it ended the link")));
    });
  }

  #linkUp(): void {
    this.#options.onLink?.("up");
    for (const transport of [...this.#waiting]) this.#begin(transport);
  }

  #linkLost(error: TroupeError): void {
    this.#live = undefined;
    this.#options.onLink?.(error);
    for (const transport of [...this.#transports.values()]) transport.lost(error);
    if (!this.#isClosed) this.#redial(error);
  }

  #redial(error: TroupeError): void {
    if (error.code === "NODE_REFUSED") {
      this.#refusal = error;
      for (const transport of [...this.#waiting]) transport.lost(error);
      return;
    }
    const [shortest, longest] = REDIAL_MS;
    const delayMs = Math.min(longest, shortest * 2 ** this.#failures++);
    this.#cancelRedial = this.#clock.after(delayMs, () => {
      this.dial().catch((failure: unknown) => {
        // `dial` rejects with errors of the catalogue alone.
        if (!this.#isClosed) this.#redial(failure as TroupeError);
      });
    });
  }

  #begin(transport: RemoteTransport): void {
    const { writer } = this.#live ?? {};
    if (!writer) return;
    this.#waiting.delete(transport);
    this.#transports.set(transport.channel, transport);
    transport.begin((lane, channel, frame, type) =>
      sendFrame(writer, lane, channel, frame, { address: transport.address, type }),
    );
  }

  #hear({ channel, frame }: Received): void {
    if (frame.kind !== "beat") return this.#transports.get(channel)?.hear(frame);
    const busy = new Map(frame.busy.map((beat) => [beat.channel, beat]));
    for (const transport of this.#transports.values()) {
      const beat = busy.get(transport.channel);
      if (beat) transport.beat(beat);
      else transport.idle();
    }
  }

  #describe({ code, details }: Grpc.ServiceError): TroupeError {
    const problem = REFUSALS[code];
    return problem === undefined
      ? this.#unreachable(details || `gRPC status ${code}`)
      : errors.nodeRefused({ address: this.address, problem });
  }

  #unreachable(problem: string): TroupeError {
    // gRPC ends its words with a note that is empty for an address of numbers.
    return errors.nodeUnreachable({ address: this.address, problem: problem.replace(/ Resolution note: *$/, "") });
  }
}

let named = 0;

/** No other link has this name, on any machine. */
function ownName(): string {
  return `${hostname()}-${process.pid}-${Math.round(systemClock.now())}-${named++}`;
}
