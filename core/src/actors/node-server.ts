import { timingSafeEqual } from "node:crypto";
import type * as Grpc from "@grpc/grpc-js";
import { errors } from "../errors.js";
import { systemClock, type Clock } from "./clock.js";
import { HostedLink } from "./hosted-link.js";
import { checkSecurity, HEADERS, linkMethod, loadGrpc, PROTOCOL, type NodeSecurity } from "./node-service.js";

/** How a node is opened. */
export interface ListenOptions {
  /** "host:port"; port 0 takes a free one. */
  readonly address: string;
  readonly security: NodeSecurity;
  readonly clock?: Clock;
  /** Told of links that come and go. */
  readonly onLink?: (change: { readonly name: string; readonly what: string }) => void;
}

/**
 * Opens this process to actors of other nodes. Whoever knows the token, or holds a certificate that `ca` has signed, can
 * run any code here: actors are modules of this machine, named by their address.
 *
 * Rejects with NODE_NOT_SECURED, or NODE_NOT_OPENED when the address cannot be listened on.
 *
 * @example
 * const node = await listenNode({ address: "127.0.0.1:0", security: { token: "at least 16 characters" } });
 * node.actors; // 0
 * await node.close();
 */
export async function listenNode(options: ListenOptions): Promise<ActorNode> {
  checkSecurity(options.address, options.security);
  const grpc = await loadGrpc();
  const { tls } = options.security;
  const server = new grpc.Server();
  const node = new ActorNode(grpc, server, options);
  const credentials = tls
    ? grpc.ServerCredentials.createSsl(
        Buffer.from(tls.ca),
        [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }],
        true,
      )
    : grpc.ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(options.address, credentials, (cause, port) => {
      if (cause) reject(errors.nodeNotOpened({ address: options.address, problem: cause.message }, cause));
      else resolve(node.at(`${options.address.slice(0, options.address.lastIndexOf(":"))}:${port}`));
    });
  });
}

/** A node that hosts other nodes' actors; see `listenNode`. */
export class ActorNode {
  address = "";
  readonly #grpc: typeof Grpc;
  readonly #server: Grpc.Server;
  readonly #options: ListenOptions;
  readonly #clock: Clock;
  /** The newest link of each name, or what was the newest: older ones never come back. */
  readonly #links = new Map<string, { order: readonly [number, number]; link: HostedLink }>();

  constructor(grpc: typeof Grpc, server: Grpc.Server, options: ListenOptions) {
    this.#grpc = grpc;
    this.#server = server;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    server.addService(
      { link: { ...linkMethod, originalName: "link" } },
      { link: (call: Grpc.ServerDuplexStream<Buffer, Buffer>) => this.#accept(call) },
    );
  }

  at(address: string): this {
    this.address = address;
    return this;
  }

  /** Number of actors that are hosted now. */
  get actors(): number {
    return [...this.#links.values()].reduce((sum, { link }) => sum + link.actors, 0);
  }

  /** Ends every actor, then every link. */
  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map(({ link }) => link.close("the node closes")));
    this.#server.forceShutdown();
  }

  async #accept(call: Grpc.ServerDuplexStream<Buffer, Buffer>): Promise<void> {
    const said = (name: string): string => String(call.metadata.get(name)[0] ?? "");
    const refuse = (code: number, details: string): void => void call.emit("error", { code, details });
    const { status } = this.#grpc;
    if (!this.#isKnown(said(HEADERS.token))) return refuse(status.UNAUTHENTICATED, "the token is another");
    if (said(HEADERS.protocol) !== String(PROTOCOL)) return refuse(status.UNIMPLEMENTED, "the protocol is another");
    const name = said(HEADERS.name);
    const order = [Number(said(HEADERS.incarnation)), Number(said(HEADERS.connection))] as const;
    const leaseMs = Number(said(HEADERS.leaseMs));
    if (name === "" || !order.every((part) => part >= 1) || !(leaseMs > 0))
      return refuse(status.INVALID_ARGUMENT, "name, incarnation and lease are wanted");
    const before = this.#links.get(name);
    if (before && !isNewer(order, before.order))
      return refuse(status.FAILED_PRECONDITION, "a newer incarnation has taken its place");
    const link = new HostedLink(call, this.#clock, leaseMs, (what) => this.#options.onLink?.({ name, what }));
    this.#links.set(name, { order, link });
    // Nothing may run twice: what runs for the older link is ended before the newer one may start anything.
    await before?.link.close("a newer link took its place");
    link.welcome(this.address);
    this.#options.onLink?.({ name, what: "linked" });
  }

  #isKnown(token: string): boolean {
    const wanted = this.#options.security.token;
    if (wanted === undefined) return true;
    const [a, b] = [Buffer.from(wanted), Buffer.from(token)];
    return a.length === b.length && timingSafeEqual(a, b);
  }
}

function isNewer(order: readonly [number, number], than: readonly [number, number]): boolean {
  return order[0] > than[0] || (order[0] === than[0] && order[1] > than[1]);
}
