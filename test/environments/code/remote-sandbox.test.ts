import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { codeCaseSchema } from "../../../environments/code/code-case.js";
import { REMOTE_PROTOCOLS, RemoteSandbox } from "../../../environments/code/remote/remote-sandbox.js";
import { verifyCode } from "../../../environments/code/verify-code.js";

type Protocol = (typeof REMOTE_PROTOCOLS)[number];
type Run = { readonly stdout: string; readonly code: number; readonly isLate?: boolean };

let server: Server | undefined;
afterEach(() => void server?.close());

/** A small service that doubles the number on stdin, whatever the program says; or misbehaves as it is told to. */
async function serve(protocol: Protocol, behave: (stdin: string, response: ServerResponse) => Run | undefined) {
  const paths: string[] = [];
  server = createServer(async (request: IncomingMessage, response) => {
    const body: unknown = JSON.parse(await text(request));
    paths.push(request.url ?? "");
    // Both protocols have the input under this name.
    const run = behave((body as { stdin: string }).stdin, response);
    if (run !== undefined) response.end(JSON.stringify(ANSWERS[protocol](run)));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  // A listener by TCP has an address of this kind.
  const { port } = server.address() as AddressInfo;
  return { sandbox: new RemoteSandbox({ protocol, url: `http://127.0.0.1:${port}`, atOnce: 2 }), paths };
}

const ANSWERS: Readonly<Record<Protocol, (run: Run) => object>> = {
  "sandbox-fusion": ({ stdout, code, isLate }) => ({
    status: code === 0 && isLate !== true ? "Success" : "Failed",
    message: "",
    run_result: {
      status: isLate === true ? "TimeLimitExceeded" : "Finished",
      execution_time: 0.01,
      return_code: code,
      stdout,
      stderr: code === 0 ? "" : "ValueError: no",
    },
  }),
  piston: ({ stdout, code, isLate }) => ({
    run: {
      stdout,
      stderr: code === 0 ? "" : "ValueError: no",
      code,
      status: isLate === true ? "TO" : null,
      signal: null,
    },
  }),
};

const one = codeCaseSchema.parse({
  mode: "stdin",
  program: "print(2 * int(input()))",
  tests: [1, 2].map((n) => ({ input: `${n}\n`, output: `${2 * n}\n` })),
});
const twice = (stdin: string): Run => ({ stdout: `${2 * Number(stdin)}\n`, code: 0 });

describe.each(REMOTE_PROTOCOLS)("RemoteSandbox by %s", (protocol) => {
  it("judges what the service ran, and stamps the service into the verdict", async () => {
    const { sandbox, paths } = await serve(protocol, twice);
    const verdict = await verifyCode(one, sandbox);
    expect(verdict).toMatchObject({
      kind: "pass",
      parts: { passed: 2, tier: "C", boundary: expect.stringContaining(protocol) },
    });
    expect(paths).toEqual(Array(2).fill(protocol === "piston" ? "/api/v2/execute" : "/run_code"));
  });

  it.each([
    ["wrong-answer", () => ({ stdout: "7", code: 0 })],
    ["runtime-error: test 1 of 2: ValueError: no (exit code 1)", () => ({ stdout: "2", code: 1 })],
    ["time-limit", () => ({ stdout: "", code: 0, isLate: true })],
    ["output-limit", () => ({ stdout: "y".repeat(2 ** 20 + 1), code: 0 })],
  ])("fails a program for %s", async (reason, behave) => {
    const { sandbox } = await serve(protocol, behave);
    const verdict = await verifyCode(one, sandbox);
    expect(verdict).toMatchObject({ kind: "fail", score: 0 });
    expect(verdict.reason).toContain(reason);
  });

  it.each([
    ["answers with an error", (response: ServerResponse) => void response.writeHead(503).end("busy"), "answered 503"],
    ["hangs up", (response: ServerResponse) => void response.destroy(), "did not answer"],
    ["speaks another protocol", (response: ServerResponse) => void response.end('{"ok": true}'), "in a form that"],
    ["answers no JSON", (response: ServerResponse) => void response.end("<html>"), "did not answer"],
  ])("finds nothing about the program when the service %s", async (_what, behave, reason) => {
    const { sandbox } = await serve(protocol, (_stdin, response) => behave(response));
    const verdict = await verifyCode(one, sandbox);
    expect(verdict).toMatchObject({ kind: "infra", reason: expect.stringContaining(reason) });
    expect(verdict).not.toHaveProperty("score");
  });

  it("tries once more when the network is lost for a moment", async () => {
    let calls = 0;
    const { sandbox } = await serve(protocol, (stdin, response) => {
      if (calls++ === 0) return void response.destroy();
      return twice(stdin);
    });
    expect(await verifyCode(one, sandbox)).toMatchObject({ kind: "pass" });
  });
});
