import { once } from "node:events";
import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import { systemClock } from "../actors/clock.js";
import { errors } from "../errors.js";

/** A way into a service, open. */
export interface ServiceDoor {
  readonly address: string;
  /** Takes no new connections; resolves when the answers under way are sent, or cut off after the grace. */
  close(graceMs: number): Promise<void>;
}

/**
 * Has a server listen.
 *
 * @param address "host:port", "[::1]:port" included; port 0 takes a free one
 * @throws SERVICE_NOT_OPENED when the address cannot be listened on
 */
export async function openDoor(server: Server | SecureServer, address: string): Promise<ServiceDoor> {
  const [, host = "", port = ""] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(address) ?? [];
  if (host === "") throw errors.serviceNotOpened({ address, problem: "HOST:PORT is wanted" });
  server.listen(Number(port), host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw errors.serviceNotOpened({ address, problem: String(cause) }, cause);
  }
  const bound = server.address();
  return {
    address: typeof bound === "object" && bound !== null ? address.replace(/\d+$/, String(bound.port)) : address,
    close: (graceMs) => closed(server, graceMs),
  };
}

async function closed(server: Server | SecureServer, graceMs: number): Promise<void> {
  const over = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cancel = systemClock.after(graceMs, () => server.closeAllConnections());
  await over;
  cancel();
}
