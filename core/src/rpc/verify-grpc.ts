import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as Grpc from "@grpc/grpc-js";
import { systemClock } from "../actors/clock.js";
import { loadGrpc } from "../actors/node-service.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { checkToken, showsToken } from "./bearer-token.js";
import type { ServiceDoor } from "./open-door.js";
import type { ListenOptions } from "./verify-http.js";
import { parseVerifyRequest, type VerifyReply, type VerifyRequest } from "./verify-message.js";
import type { VerifyService } from "./verify-service.js";

/** The contract of the service, in this package. */
export const PROTO_PATH = join(
  dirname(createRequire(import.meta.url).resolve("@troupe/core/package.json")),
  "proto/verify.proto",
);

const STATUS: Readonly<Record<string, "INVALID_ARGUMENT" | "ALREADY_EXISTS" | "RESOURCE_EXHAUSTED" | "UNAVAILABLE">> = {
  REQUEST_NOT_VALID: "INVALID_ARGUMENT",
  REQUEST_TOO_LARGE: "INVALID_ARGUMENT",
  KEY_REUSED: "ALREADY_EXISTS",
  SERVICE_BUSY: "RESOURCE_EXHAUSTED",
  SERVICE_DRAINING: "UNAVAILABLE",
};

/** A request as it is decoded: fields that were not sent hold their defaults, but for those of a oneof. */
interface WireRequest {
  readonly run_id: string;
  readonly idempotency_key: string;
  readonly deadline_ms: number;
  readonly items: readonly WireItem[];
}

interface WireItem {
  readonly sample_id: string;
  readonly group_id: string;
  readonly verifier: string;
  readonly verifier_version: string;
  readonly prompt_text?: string;
  readonly prompt_messages?: { readonly messages: readonly object[] };
  readonly response: string;
  readonly response_token_count: number;
  readonly ground_truth_text?: string;
  readonly ground_truth_json?: string;
  readonly meta_json: string;
}

/**
 * Opens a service to gRPC, as `core/proto/verify.proto` has it.
 *
 * Rejects with SERVICE_NOT_SECURED, or SERVICE_NOT_OPENED when the address cannot be listened on.
 */
export async function listenGrpc(service: VerifyService, options: ListenOptions): Promise<ServiceDoor> {
  const { address, token, tls, maxBodyBytes } = options;
  checkToken(address, token);
  const grpc = await loadGrpc();
  const { loadSync } = await import("@grpc/proto-loader");
  const definition = loadSync(PROTO_PATH, { keepCase: true, defaults: true, arrays: true, longs: Number });
  // The file holds this service; its methods are checked by the calls that tests make.
  const methods = definition["troupe.verify.v1.Verification"] as Grpc.ServiceDefinition;
  const server = new grpc.Server({ "grpc.max_receive_message_length": maxBodyBytes });
  server.addService(methods, {
    Verify: (call: Grpc.ServerWritableStream<WireRequest, { readonly replies: readonly VerifyReply[] }>) => {
      answer(service, token, call).catch((error: unknown) => call.emit("error", statusOf(grpc, error)));
    },
  });
  const credentials =
    tls === undefined
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(null, [
          { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) },
        ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, bound) => {
      if (cause) reject(errors.serviceNotOpened({ address, problem: cause.message }, cause));
      else resolve(bound);
    });
  });
  return {
    address: address.replace(/\d+$/, String(port)),
    async close(graceMs) {
      const cancel = systemClock.after(graceMs, () => server.forceShutdown());
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      cancel();
    },
  };
}

async function answer(
  service: VerifyService,
  token: string | undefined,
  call: Grpc.ServerWritableStream<WireRequest, { readonly replies: readonly VerifyReply[] }>,
): Promise<void> {
  const [header] = call.metadata.get("authorization");
  if (!showsToken(header === undefined ? undefined : String(header), token)) throw errors.tokenRefused({});
  const { batch, isRemembered } = service.submit(requestOf(call.request));
  const leaving = new AbortController();
  call.on("cancelled", () => leaving.abort());
  for await (const some of batch.replies(leaving.signal)) {
    const replies = some.map((reply) => ({ ...reply, cached: isRemembered }));
    // Whoever goes away is waited for no longer.
    if (!call.write({ replies })) await once(call, "drain", { signal: leaving.signal }).catch(() => undefined);
  }
  if (!call.cancelled) call.end();
}

/** @throws REQUEST_NOT_VALID */
function requestOf({ run_id, idempotency_key, deadline_ms, items }: WireRequest): VerifyRequest {
  return parseVerifyRequest({
    run_id,
    ...given("idempotency_key", idempotency_key),
    ...given("deadline_ms", deadline_ms),
    items: items.map((item, index) => ({
      sample_id: item.sample_id,
      ...given("group_id", item.group_id),
      verifier: item.verifier,
      ...given("verifier_version", item.verifier_version),
      prompt: item.prompt_messages?.messages ?? item.prompt_text ?? "",
      response: item.response,
      response_token_count: item.response_token_count,
      ground_truth:
        item.ground_truth_json === undefined
          ? item.ground_truth_text
          : jsonOf(item.ground_truth_json, `items[${index}].ground_truth_json`),
      meta: item.meta_json === "" ? {} : jsonOf(item.meta_json, `items[${index}].meta_json`),
    })),
  });
}

/** Proto3 cannot tell a field that was not sent from an empty one. */
function given(name: string, value: string | number): object {
  return value === "" || value === 0 ? {} : { [name]: value };
}

function jsonOf(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw errors.requestNotValid({ problem: `${place} is no JSON` }, cause);
  }
}

function statusOf(grpc: typeof Grpc, error: unknown): Partial<Grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  if (!(error instanceof TroupeError)) return { code: grpc.status.INTERNAL, details: String(error), metadata };
  metadata.set("troupe-code", error.code);
  const seconds = error.details["retryAfterS"];
  if (typeof seconds === "number") metadata.set("retry-after", String(seconds));
  const code = error.code === "TOKEN_REFUSED" ? "UNAUTHENTICATED" : (STATUS[error.code] ?? "INTERNAL");
  return { code: grpc.status[code], details: error.message, metadata };
}
