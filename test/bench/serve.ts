import { once } from "node:events";
import { request } from "node:http";
import { availableParallelism } from "node:os";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { listenGrpc, listenHttp, VerifyService } from "@troupe/core";
import { verifyMath } from "@troupe/environments/math";
import type { BenchSession, Findings } from "./area.js";
import { rateOf, row } from "./row.js";

/** An answer with its reference. */
export interface ServedCase {
  readonly gold: string;
  readonly response: string;
}

/** How much work each measurement does. */
export interface ServeWork {
  readonly rounds: number;
  /** Items of a request, and requests under way together. */
  readonly items: number;
  readonly requests: number;
}

/** Verdicts per second of `troupe verify serve` over loopback, beside the checker alone on one core, at the same moment. */
export async function measureServe(
  cases: readonly ServedCase[],
  work: ServeWork,
  session: BenchSession,
): Promise<Findings> {
  const threads = availableParallelism();
  const service = await VerifyService.open({ verifiers: { math: { use: "math" } }, threads });
  const http = await listenHttp(service, { address: "127.0.0.1:0", maxBodyBytes: 2 ** 26 });
  const rpc = await listenGrpc(service, { address: "127.0.0.1:0", maxBodyBytes: 2 ** 26 });
  const client = grpcClient(rpc.address);
  const count = work.items * work.requests;
  const items = Array.from({ length: count }, (_, index) => ({ id: String(index), ...caseAt(cases, index, count) }));
  const batches = Array.from({ length: work.requests }, (_, index) =>
    items.slice(index * work.items, (index + 1) * work.items),
  );
  const ways = {
    alone: async () => {
      for (const { gold, response } of items) verifyMath(gold, response);
    },
    http: async () => {
      for (const found of await Promise.all(batches.map((batch) => overHttp(http.address, batch)))) check(found, work);
    },
    grpc: async () => {
      for (const found of await Promise.all(batches.map((batch) => overGrpc(client, batch)))) check(found, work);
    },
  };
  const seconds: Record<keyof typeof ways, number[]> = { alone: [], http: [], grpc: [] };
  for (let round = -1; round < work.rounds; round++) {
    session.progress(`serve, round ${round + 1} of ${work.rounds}`);
    for (const way of ["alone", "http", "grpc"] as const) {
      const start = performance.now();
      await ways[way]();
      // The first round warms threads and compilers.
      if (round >= 0) seconds[way].push((performance.now() - start) / 1000);
    }
  }
  client.close();
  await Promise.all([http.close(0), rpc.close(0)]);
  await service.close();
  const alone = rateOf(count, seconds.alone);
  return {
    rows: [
      row("serve/in-process", "verdicts/s", alone),
      row("serve/http", "verdicts/s", rateOf(count, seconds.http), alone.value),
      row("serve/grpc", "verdicts/s", rateOf(count, seconds.grpc), alone.value),
    ],
    notes: [
      `serve: ${work.requests} requests of ${work.items} items under way together, ${threads} threads, the client in the service's own process; the limit is the checker alone on one core.`,
    ],
  };
}

interface Item extends ServedCase {
  readonly id: string;
}

/** One of `count` cases that are spread over all there are. */
function caseAt(cases: readonly ServedCase[], index: number, count: number): ServedCase {
  const one = cases[Math.floor((index * cases.length) / count)];
  if (one === undefined) throw new RangeError("there are no cases to serve");
  return one;
}

function check(found: number, { items }: ServeWork): void {
  if (found !== items) throw new Error(`${found} replies to ${items} items`);
}

async function overHttp(address: string, items: readonly Item[]): Promise<number> {
  const body = JSON.stringify({
    items: items.map(({ id, gold, response }) => ({ sample_id: id, verifier: "math", response, ground_truth: gold })),
  });
  const sent = request(`http://${address}/v1/verify`, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  });
  sent.end(body);
  const [response] = await once(sent, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  // The service's answer has items.
  return (JSON.parse(text) as { readonly items: readonly unknown[] }).items.length;
}

type Client = grpc.Client & { Verify(request: object): grpc.ClientReadableStream<{ replies: readonly object[] }> };

function grpcClient(address: string): Client {
  const proto = new URL("proto/verify.proto", import.meta.resolve("@troupe/core/package.json")).pathname;
  const definition = loadSync(proto, { keepCase: true });
  // The contract has this service, and its one method streams replies.
  const Service = grpc.makeGenericClientConstructor(
    definition["troupe.verify.v1.Verification"] as grpc.ServiceDefinition,
    "Verification",
  );
  // As above.
  return new Service(address, grpc.credentials.createInsecure()) as unknown as Client;
}

async function overGrpc(client: Client, items: readonly Item[]): Promise<number> {
  let found = 0;
  const replies = client.Verify({
    items: items.map(({ id, gold, response }) => ({
      sample_id: id,
      verifier: "math",
      response,
      ground_truth_text: gold,
    })),
  });
  for await (const some of replies) found += some.replies.length;
  return found;
}
