import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterEach, describe, expect, it } from "vitest";
import { listenGrpc, PROTO_PATH } from "../../../core/dist/src/rpc/verify-grpc.js";
import type { VerifyServiceOptions } from "../../../core/dist/src/rpc/verify-service.js";
import { services } from "./open-service.js";

const made = services();
const { gate } = made;
const clients: grpc.Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

interface Replies {
  readonly replies: readonly object[];
}
type Calls = Record<string, (request: object, metadata: grpc.Metadata) => grpc.ClientReadableStream<Replies>>;

/** A client as any language makes it from the contract. */
async function connect(options: Partial<VerifyServiceOptions> = {}, token?: string) {
  const service = await made.service(options);
  const door = await listenGrpc(service, {
    address: "127.0.0.1:0",
    maxBodyBytes: 2 ** 20,
    ...(token === undefined ? {} : { token }),
  });
  const definition = loadSync(PROTO_PATH, { keepCase: true, longs: Number });
  // The contract has this service, and its one method streams replies.
  const Client = grpc.makeGenericClientConstructor(
    definition["troupe.verify.v1.Verification"] as grpc.ServiceDefinition,
    "Verification",
  );
  const client = new Client(door.address, grpc.credentials.createInsecure());
  clients.push(client);
  return (request: object, header?: string) => {
    const metadata = new grpc.Metadata();
    if (header !== undefined) metadata.set("authorization", header);
    // As above.
    return (client as unknown as Calls)["Verify"]!(request, metadata);
  };
}

const item = (sample_id: string, response = "yes", meta: object = {}) => {
  const { ground_truth, meta: fields, ...rest } = made.item(sample_id, response, meta);
  return { ...rest, ground_truth_text: ground_truth, meta_json: JSON.stringify(fields) };
};

async function failureOf(stream: grpc.ClientReadableStream<Replies>): Promise<grpc.ServiceError> {
  try {
    for await (const reply of stream) expect(reply).toBeUndefined();
  } catch (error) {
    // What a call fails with.
    return error as grpc.ServiceError;
  }
  throw new Error("the call did not fail");
}

describe("listenGrpc()", () => {
  it("streams a reply for every item in the order in which they are found, with a score where there is one", async () => {
    const verify = await connect();
    const { path, open } = gate();
    const items = [
      item("late", "no", { gate: path }),
      { ...item("early"), ground_truth_text: undefined, ground_truth_json: '"yes"' },
      { ...item("thrown", "throw"), prompt_messages: { messages: [{ role: "user", content: "Say yes." }] } },
    ];
    const replies: object[] = [];
    for await (const { replies: some } of verify({ run_id: "r", idempotency_key: "k", deadline_ms: 600_000, items })) {
      replies.push(...some);
      if (replies.length === 2) open();
    }
    expect(replies).toHaveLength(3);
    expect(replies.slice(0, 2)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ sample_id: "early", verdict: "pass", score: 1, verifier_version: "1.0.0" }),
        expect.objectContaining({ sample_id: "thrown", verdict: "error" }),
      ]),
    );
    expect(replies.find((reply) => "verdict" in reply && reply.verdict === "error")).not.toHaveProperty("score");
    expect(replies[2]).toMatchObject({ sample_id: "late", verdict: "fail", score: 0 });
    const again: object[] = [];
    for await (const { replies: some } of verify({ run_id: "r", idempotency_key: "k", items })) again.push(...some);
    expect(again).toEqual(replies.map((reply) => ({ ...reply, cached: true })));
  });

  it("says what is wrong with a request as a status", async () => {
    const verify = await connect({ maxWaiting: 1 }, "0123456789abcdef");
    const bearer = "Bearer 0123456789abcdef";
    const refused = async (request: object, header: string | undefined = bearer) => {
      const { code, details } = await failureOf(verify(request, header));
      return [grpc.status[code], details];
    };
    expect(await refused({ items: [item("a")] }, "Bearer other")).toEqual(["UNAUTHENTICATED", expect.any(String)]);
    expect(await refused({ items: [item("")] })).toEqual([
      "INVALID_ARGUMENT",
      expect.stringContaining("items[0].sample_id"),
    ]);
    expect(await refused({ items: [{ ...item("a"), meta_json: "{" }] })).toEqual([
      "INVALID_ARGUMENT",
      expect.stringContaining("items[0].meta_json is no JSON"),
    ]);
    expect(await refused({ items: [{ ...item("a"), ground_truth_text: undefined }] })).toEqual([
      "INVALID_ARGUMENT",
      expect.stringContaining("ground_truth"),
    ]);
    expect(await refused({ items: [item("a"), item("b")] })).toEqual([
      "INVALID_ARGUMENT",
      expect.stringContaining("at most 1"),
    ]);
  });
});
