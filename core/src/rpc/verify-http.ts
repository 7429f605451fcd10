import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { once } from "node:events";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { checkToken, showsToken } from "./bearer-token.js";
import { openDoor, type ServiceDoor } from "./open-door.js";
import { parseVerifyRequest, type VerifyReply } from "./verify-message.js";
import type { VerifyService } from "./verify-service.js";

/** Where a service listens, and whom it answers. */
export interface ListenOptions {
  /** "host:port"; port 0 takes a free one. */
  readonly address: string;
  /** Wanted of everybody; beyond loopback there must be one. */
  readonly token?: string;
  /** PEM texts of a certificate and its key, for TLS; without them everything crosses the network in the clear. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Bytes of a request at most. */
  readonly maxBodyBytes: number;
}

const STATUS: Readonly<Record<string, number>> = {
  REQUEST_NOT_VALID: 400,
  TOKEN_REFUSED: 401,
  KEY_REUSED: 409,
  REQUEST_TOO_LARGE: 413,
  SERVICE_BUSY: 429,
  SERVICE_DRAINING: 503,
};

/** How replies are written: all in one object, or each as soon as it is there. */
interface Form {
  readonly type: string;
  item(reply: VerifyReply): string;
  end(count: number): string;
}

const STREAMS: readonly Form[] = [
  { type: "application/x-ndjson", item: (reply) => `${JSON.stringify(reply)}\n`, end: () => "" },
  {
    type: "text/event-stream",
    item: (reply) => `event: item\ndata: ${JSON.stringify(reply)}\n\n`,
    end: (count) => `event: end\ndata: {"items":${count}}\n\n`,
  },
];

/**
 * Opens a service to HTTP: `POST /v1/verify`, `GET /health`, `GET /metrics`.
 *
 * Rejects with SERVICE_NOT_SECURED, or SERVICE_NOT_OPENED when the address cannot be listened on.
 */
export async function listenHttp(service: VerifyService, options: ListenOptions): Promise<ServiceDoor> {
  const { address } = options;
  checkToken(address, options.token);
  const hear = (request: IncomingMessage, response: ServerResponse): void => {
    answer(service, options, request, response).catch((error: unknown) => refuse(response, error));
  };
  const server = options.tls === undefined ? createServer(hear) : createSecureServer(options.tls, hear);
  return openDoor(server, address);
}

async function answer(
  service: VerifyService,
  { token, maxBodyBytes }: ListenOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const route = `${request.method} ${request.url?.split("?")[0]}`;
  if (route === "GET /health") {
    const status = service.isDraining ? "draining" : "ok";
    return json(response, service.isDraining ? 503 : 200, { status, verifiers: service.status() });
  }
  if (!showsToken(request.headers.authorization, token)) throw errors.tokenRefused({});
  if (route === "GET /metrics") {
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(service.metrics());
    return;
  }
  if (route !== "POST /v1/verify") {
    const problem = `there is no ${route}: POST /v1/verify, GET /health or GET /metrics is wanted`;
    return refuse(response, errors.requestNotValid({ problem }), 404);
  }
  // A page in a browser cannot send this type to another origin unasked.
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? ""))
    return refuse(response, errors.requestNotValid({ problem: "its content type is not application/json" }), 415);
  const asked = parseVerifyRequest(parsed(await bodyOf(request, maxBodyBytes)));
  const { batch, isRemembered } = service.submit(asked);
  const leaving = new AbortController();
  response.on("close", () => leaving.abort());
  const replies = batch.replies(leaving.signal);
  const form = STREAMS.find(({ type }) => request.headers.accept?.includes(type) === true);
  const found = (reply: VerifyReply): VerifyReply => (isRemembered ? { ...reply, cached: true } : reply);
  if (form === undefined) {
    const bySample = new Map<string, VerifyReply>();
    for await (const some of replies) for (const reply of some) bySample.set(reply.sample_id, found(reply));
    return response.destroyed
      ? undefined
      : json(response, 200, { items: asked.items.map((item) => bySample.get(item.sample_id)) });
  }
  response.writeHead(200, { "content-type": form.type, "cache-control": "no-store" });
  response.flushHeaders();
  for await (const some of replies) {
    const isRoomLeft = response.write(some.map((reply) => form.item(found(reply))).join(""));
    // Whoever goes away is waited for no longer.
    if (!isRoomLeft) await once(response, "drain", { signal: leaving.signal }).catch(() => undefined);
  }
  response.end(form.end(batch.size));
}

/** @throws REQUEST_TOO_LARGE */
async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLarge = (bytes: number): TroupeError =>
    errors.requestTooLarge({ what: `${bytes} bytes or more`, most: `${maxBytes} bytes` });
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes) throw tooLarge(announced);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    // Without an encoding a request gives buffers.
    const part = chunk as Buffer;
    chunks.push(part);
    bytes += part.length;
    if (bytes > maxBytes) throw tooLarge(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw errors.requestNotValid({ problem: `its body is no JSON (${String(cause)})` }, cause);
  }
}

function refuse(response: ServerResponse, error: unknown, status?: number): void {
  if (response.headersSent) return void response.destroy();
  const known = error instanceof TroupeError ? error : undefined;
  const code = status ?? STATUS[known?.code ?? ""] ?? 500;
  if (code === 429) response.setHeader("retry-after", String(known?.details["retryAfterS"] ?? 1));
  if (code === 401) response.setHeader("www-authenticate", "Bearer");
  // What is left of the body is not read, so the connection cannot be used again.
  if (code === 413 || code === 503) response.setHeader("connection", "close");
  json(response, code, {
    error: { code: known?.code ?? "INTERNAL", message: known?.message ?? String(error), hint: known?.hint ?? "" },
  });
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(value)}\n`);
}
