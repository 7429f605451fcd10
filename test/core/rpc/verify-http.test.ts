import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { listenHttp } from "../../../core/dist/src/rpc/verify-http.js";
import { services, until } from "./open-service.js";

const { begun, folder, gate, http, item, service } = bound(services());

const hasOpenssl = ((): boolean => {
  try {
    execFileSync("openssl", ["version"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
})();

/** The functions of an object, free of it. */
function bound(made: ReturnType<typeof services>) {
  return { ...made, http: made.http.bind(made), service: made.service.bind(made) };
}

/** The lines of a stream, one at a time. */
async function* linesOf(response: Response): AsyncGenerator<string, void> {
  let rest = "";
  if (response.body === null) return;
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  expect(rest).toBe("");
}

const replyTo = (sample_id: string, verdict: string, rest: object = {}) => ({
  sample_id,
  verdict,
  reason: expect.any(String),
  verifier: "gated",
  verifier_version: "1.0.0",
  cached: false,
  ms: expect.any(Number),
  ...rest,
});

describe("POST /v1/verify", () => {
  it("gives one reply for each item in the neutral shape, with a score where one was found alone", async () => {
    const { verify } = await http();
    const words = ["yes", "no", "throw", "abstain", "infinite"];
    const { status, body } = await verify({ items: words.map((word) => item(word, word)) });
    expect(status).toBe(200);
    expect(body).toEqual({
      items: [
        replyTo("yes", "pass", { score: 1, reason: "equal" }),
        replyTo("no", "fail", { score: 0 }),
        replyTo("throw", "error", { reason: "verifier-threw: RangeError: no verdict on throw" }),
        replyTo("abstain", "abstain"),
        replyTo("infinite", "error", { reason: "verifier-returned: kind partial with score Infinity" }),
      ],
    });
  });

  it("streams lines, or events, in the order in which verdicts are found", async () => {
    const { send } = await http();
    for (const [accept, pick] of [
      ["application/x-ndjson", /^(\{.*\})$/],
      ["text/event-stream", /^data: (\{"sample_id.*\})$/],
    ] as const) {
      const { path, open } = gate();
      const response = await send({ items: [item("late", "yes", { gate: path }), item("early")] }, { accept });
      expect(response.headers.get("content-type")).toBe(accept);
      const order: unknown[] = [];
      for await (const line of linesOf(response)) {
        const text = pick.exec(line)?.[1];
        if (text === undefined) continue;
        order.push(JSON.parse(text));
        open();
      }
      expect(order).toEqual([replyTo("early", "pass", { score: 1 }), replyTo("late", "pass", { score: 1 })]);
    }
  });

  it("judges once what comes twice with one key, also while the first is under way", async () => {
    const { verify } = await http();
    const { path, open } = gate();
    const body = { idempotency_key: "k", items: [item("once/a", "yes", { gate: path }), item("once/b", "no")] };
    const both = [verify(body), verify({ ...body, deadline_ms: 600_000 })];
    await until(() => begun().includes("once/a") && begun().includes("once/b"));
    open();
    const [first, second] = await Promise.all(both);
    const third = await verify(body);
    expect(begun().filter((id) => id.startsWith("once/"))).toHaveLength(2);
    const cached = (received: typeof third | undefined) =>
      JSON.stringify(received?.body).match(/"cached":true/g)?.length ?? 0;
    expect([first, second].map(cached).toSorted()).toEqual([0, 2]);
    expect(cached(third)).toBe(2);
    const plain = (received: typeof third | undefined) =>
      JSON.stringify(received?.body).replaceAll('"cached":true', '"cached":false');
    expect(new Set([first, second, third].map(plain)).size).toBe(1);
    const other = await verify({ ...body, items: [item("once/a", "no")] });
    expect(other).toMatchObject({ status: 409, body: { error: { code: "KEY_REUSED" } } });
  });

  it("refuses with 429 and Retry-After what would wait beyond its bound, and takes it later", async () => {
    const { service: open, verify } = await http({ threads: 1, maxWaiting: 2 });
    const shut = gate();
    const held = Array.from({ length: 4 }, (_, index) =>
      verify({ items: [item(`held/${index}`, "yes", { gate: shut.path })] }),
    );
    await until(() => open.status()[0]?.waiting === 2);
    const refused = await verify({ items: [item("refused")] });
    expect(refused).toMatchObject({ status: 429, body: { error: { code: "SERVICE_BUSY" } } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    shut.open();
    for (const { status } of await Promise.all(held)) expect(status).toBe(200);
    expect((await verify({ items: [item("refused")] })).status).toBe(200);
    const never = await verify({ items: ["a", "b", "c"].map((id) => item(id)) });
    expect(never).toMatchObject({ status: 413, body: { error: { code: "REQUEST_TOO_LARGE" } } });
    expect(begun().filter((id) => id === "refused")).toHaveLength(1);
  });

  it("gives a timeout without a score to what has no verdict by the deadline, waiting or begun", async () => {
    const { verify, service: open } = await http({ threads: 1 });
    const { path } = gate();
    const ids = ["0", "1", "2", "3", "4"].map((id) => `slow/${id}`);
    const { status, body } = await verify({
      deadline_ms: 300,
      items: ids.map((id) => item(id, "yes", { gate: path })),
    });
    expect(status).toBe(200);
    const reason = "deadline: no verdict within the request's 300 ms";
    expect(body).toEqual({ items: ids.map((id) => replyTo(id, "timeout", { reason, ms: 300 })) });
    expect(open.status()[0]?.waiting).toBe(0);
  });

  it.each([
    ["{", 400, "its body is no JSON"],
    [{ items: [item("a"), item("a")] }, 400, 'items[1].sample_id is "a", as items[0]\'s is'],
    [
      { items: [{ ...item("a"), verifier: "chess" }] },
      400,
      'items[0].verifier (sample "a") is "chess": one of "gated"',
    ],
    [{ items: [{ ...item("a"), verifier_version: "9" }] }, 400, '"gated" is version "1.0.0" here'],
    [{ items: [item("a", "x".repeat(2 ** 20))] }, 413, "at most 1048576 bytes may come at once"],
  ])("refuses %j with a status and the place, and judges nothing of it", async (body, status, message) => {
    const { verify } = await http();
    const before = begun().length;
    const received = await verify(body);
    expect(received.status).toBe(status);
    expect(received.body).toMatchObject({
      error: { message: expect.stringContaining(message), hint: expect.any(String) },
    });
    expect(begun()).toHaveLength(before);
  });

  it("takes nothing that a web page could send, and no other path", async () => {
    const { send, url } = await http();
    expect((await send("{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await fetch(`${url}/v1/verify`)).status).toBe(404);
  });

  it("drops what still waits when the caller without a key has gone", async () => {
    const { send, service: open } = await http({ threads: 1 });
    const { path } = gate();
    const leaving = new AbortController();
    const items = Array.from({ length: 6 }, (_, index) => item(`gone/${index}`, "yes", { gate: path }));
    const sent = send({ items }, {}, leaving.signal).catch((error: unknown) => error);
    await until(() => open.status()[0]?.waiting === 4);
    leaving.abort();
    await sent;
    await until(() => open.status()[0]?.waiting === 0);
    expect(begun().filter((id) => id.startsWith("gone/"))).toHaveLength(2);
  });
});

describe("listenHttp()", () => {
  const token = "0123456789abcdef";

  it("wants the token of everybody, but for /health", async () => {
    const { url, verify } = await http({}, { token });
    const without = await verify({ items: [item("a")] });
    expect(without).toMatchObject({ status: 401, body: { error: { code: "TOKEN_REFUSED" } } });
    expect((await verify({ items: [item("a")] }, { authorization: `Bearer ${token}x` })).status).toBe(401);
    expect((await verify({ items: [item("a")] }, { authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it("rejects with SERVICE_NOT_SECURED when others could come in without one, or it is short", async () => {
    const one = await service();
    for (const options of [{ address: "0.0.0.0:0" }, { address: "[::]:0" }, { address: "127.0.0.1:0", token: "short" }])
      await expect(listenHttp(one, { maxBodyBytes: 1, ...options })).rejects.toMatchObject({
        code: "SERVICE_NOT_SECURED",
      });
  });

  it.skipIf(!hasOpenssl)("speaks TLS with a certificate", async () => {
    const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));
    if (cert === undefined || key === undefined) return;
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", ...ec, "-keyout", key, "-out", cert, ...names], { stdio: "pipe" });
    const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    const { door } = await http({}, { tls });
    const request = get(`https://${door.address}/health`, { ca: tls.cert, agent: false });
    // The response comes before anything of its body.
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(await json(response)).toMatchObject({ status: "ok" });
  });

  it("rejects with SERVICE_NOT_OPENED when the port is taken", async () => {
    const { door, service: one } = await http();
    await expect(listenHttp(one, { address: door.address, maxBodyBytes: 1 })).rejects.toMatchObject({
      code: "SERVICE_NOT_OPENED",
    });
  });

  it("shows health and figures", async () => {
    const { url, verify } = await http();
    await verify({ items: [item("a"), item("b", "no")] });
    expect(await (await fetch(`${url}/health`)).json()).toEqual({
      status: "ok",
      verifiers: [{ name: "gated", verifier: "gated", version: "1.0.0", threads: 2, waiting: 0, notice: null }],
    });
    const figures = await (await fetch(`${url}/metrics`)).text();
    expect(figures).toContain('troupe_verify_requests_total{outcome="judged"} 1\n');
    expect(figures).toContain('troupe_verify_verdicts_total{verifier="gated",kind="fail"} 1\n');
  });
});
