import type * as Grpc from "@grpc/grpc-js";
import { errors } from "../errors.js";

/** How two nodes know each other: certificates on both sides, a token that both hold, or both. */
export interface NodeSecurity {
  /** At least 16 characters. Without `tls` only for addresses of this machine: anybody on the way could read it. */
  readonly token?: string;
  /** PEM texts: whom to trust, and what to show. Both sides must show a certificate that the other's `ca` has signed. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Who dials: a restarted driver has the same name and a higher incarnation, and whatever runs for the older is ended. */
export interface NodeIdentity {
  readonly name: string;
  /** At least 1. */
  readonly incarnation: number;
}

/** Of the frames between nodes; other numbers are refused. */
export const PROTOCOL = 2;
export const LINK_PATH = "/troupe.actors.v1.Node/Link";

/** Names of what a dialling node says before its first frame. */
export const HEADERS = {
  protocol: "troupe-protocol",
  name: "troupe-name",
  incarnation: "troupe-incarnation",
  connection: "troupe-connection",
  leaseMs: "troupe-lease-ms",
  token: "troupe-token",
} as const;

/** gRPC carries bytes only; what is in them is the business of `FrameWriter`. */
export const linkMethod = {
  path: LINK_PATH,
  requestStream: true,
  responseStream: true,
  requestSerialize: (bytes: Buffer): Buffer => bytes,
  requestDeserialize: (bytes: Buffer): Buffer => bytes,
  responseSerialize: (bytes: Buffer): Buffer => bytes,
  responseDeserialize: (bytes: Buffer): Buffer => bytes,
} as const;

/** Loaded when nodes are used: most runs have none. */
export async function loadGrpc(): Promise<typeof Grpc> {
  const loaded = await import("@grpc/grpc-js");
  // It is CommonJS; some loaders give its exports as the default only.
  return "default" in loaded ? (loaded.default as typeof Grpc) : loaded;
}

/** @throws NODE_NOT_SECURED when strangers could get in, or read the token */
export function checkSecurity(address: string, { token, tls }: NodeSecurity): void {
  const refuse = (problem: string): never => {
    throw errors.nodeNotSecured({ address, problem });
  };
  if (!/^.+:\d{1,5}$/.test(address)) refuse("HOST:PORT is wanted, as in 127.0.0.1:7077");
  if (token === undefined && tls === undefined) refuse("neither a token nor certificates are given");
  if (token !== undefined && token.length < 16) refuse("its token has less than 16 characters");
  if (tls === undefined && !isLoopback(address)) refuse("a token alone would cross the network in the clear");
}

/** Whether nobody on another machine can reach "host:port". */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(":"));
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
