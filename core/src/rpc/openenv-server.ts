import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { z } from "zod";
import type { LoadedEnvironment } from "../environments/environment-loader.js";
import type { Split } from "../environments/environment.js";
import type { JsonObject } from "../records/json.js";
import { checkToken, showsToken } from "./bearer-token.js";
import { openDoor, type ServiceDoor } from "./open-door.js";
import { actionSchema, failure, OpenEnvSession, type OpenEnvFrame } from "./openenv-session.js";

/** What to offer, where, and to whom. */
export interface OpenEnvOptions {
  readonly environment: LoadedEnvironment;
  /** Where relative paths in its settings start. */
  readonly baseDirectory: string;
  readonly split: Split;
  readonly seed: number;
  /** "host:port"; port 0 takes a free one. */
  readonly address: string;
  /** Wanted of everybody; beyond loopback there must be one. */
  readonly token?: string;
  /** Sessions at once; a further connection is told so and closed. */
  readonly capacity: number;
  /** Bytes of a frame at most. */
  readonly maxFrameBytes: number;
  /** Longest wait for the environment. */
  readonly deadlineMs: number;
}

/** Frames of one client that may wait for their answer. */
const MAX_WAITING = 16;

/** Close codes of WebSocket (RFC 6455): all is well, the client does not keep to the rules, come back later. */
const CLOSE = { normal: 1000, policy: 1008, later: 1013 } as const;

/**
 * Offers an environment as OpenEnv does: a WebSocket at `/ws`, one connection a session, and `GET /health`, `/metadata`
 * and `/schema`. Pages in a browser are turned away: whoever visits one has not asked for it.
 *
 * Rejects with SERVICE_NOT_SECURED, SERVICE_NOT_OPENED, and what opening the taskset throws.
 *
 * Source of the frames: huggingface/OpenEnv, `src/openenv/core/env_server` (June 2026).
 */
export async function serveOpenEnv(options: OpenEnvOptions): Promise<ServiceDoor> {
  const { environment, baseDirectory, split, seed, token, capacity, deadlineMs } = options;
  checkToken(options.address, token);
  const tasks = await environment.definition.taskset(environment.config, split, { baseDirectory, seed });
  let next = 0;
  const offer = { environment, tasks, deadlineMs, nextIndex: () => next++ };
  // With the first server, not with every program that imports this package.
  const { WebSocketServer } = await import("ws");
  const sockets = new WebSocketServer({ noServer: true, maxPayload: options.maxFrameBytes, perMessageDeflate: false });
  const server = createServer((request, response) => page(environment, request, response));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, token);
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal}\r\nconnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      if (sockets.clients.size > capacity) {
        send(client, failure("CAPACITY_REACHED", `${capacity} sessions are open, and there is room for no more`));
        client.close(CLOSE.later);
      } else converse(client, new OpenEnvSession(offer));
    });
  });
  const door = await openDoor(server, options.address);
  return {
    address: door.address,
    close: async (graceMs) => {
      for (const client of sockets.clients) client.close(CLOSE.later);
      await door.close(graceMs);
      for (const client of sockets.clients) client.terminate();
    },
  };
}

/** Answers a client's frames in order until it is gone. */
function converse(client: WebSocket, session: OpenEnvSession): void {
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  const answer = async (data: RawData, isBinary: boolean): Promise<void> => {
    const frame = isBinary ? failure("INVALID_JSON", "a binary frame") : await session.answer(data.toString());
    waiting -= 1;
    if (frame === undefined) client.close(CLOSE.normal);
    else send(client, frame);
  };
  client.on("message", (data, isBinary) => {
    waiting += 1;
    if (waiting > MAX_WAITING) client.close(CLOSE.policy, "too many frames at once");
    else last = last.then(() => answer(data, isBinary));
  });
  // A frame that is too large, or none at all, ends the connection; "close" follows.
  client.on("error", () => {});
  client.on("close", () => void session.close());
}

function send(client: WebSocket, frame: OpenEnvFrame): void {
  // Whoever is gone by now misses nothing.
  client.send(JSON.stringify(frame), () => {});
}

/** Status line for who may not come in. */
function refusalOf({ url, headers }: IncomingMessage, token: string | undefined): string | undefined {
  if (url?.split("?")[0] !== "/ws") return "404 Not Found";
  if (headers.origin !== undefined) return "403 Forbidden";
  return showsToken(headers.authorization, token) ? undefined : "401 Unauthorized";
}

function page({ definition }: LoadedEnvironment, request: IncomingMessage, response: ServerResponse): void {
  const { name, version, description } = definition;
  const pages: Readonly<Record<string, JsonObject>> = {
    "/health": { status: "healthy" },
    "/metadata": { name, version, description },
    "/schema": schemas(),
  };
  const body = request.method === "GET" ? pages[request.url?.split("?")[0] ?? ""] : undefined;
  response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body ?? { error: "GET /health, /metadata or /schema, or a WebSocket at /ws" })}\n`);
}

/** JSON Schema of everything that goes over the wire. */
function schemas(): JsonObject {
  const message = z.strictObject({ role: z.enum(["system", "user", "assistant", "tool"]), content: z.string() });
  const observation = z.strictObject({
    messages: z.array(message).describe("What the policy is told; at the beginning the whole prompt"),
    task: z.string(),
    verdict: z.strictObject({ kind: z.string(), reason: z.string() }).optional().describe("At the end"),
  });
  const state = z.strictObject({ episode_id: z.string().nullable(), step_count: z.int().min(0) });
  const parts = { action: actionSchema, observation, state };
  // JSON Schema is JSON.
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, z.toJSONSchema(part) as JsonObject]));
}
