import { execFile, execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ServiceDoor } from "../../core/dist/src/rpc/open-door.js";
import { listenHttp } from "../../core/dist/src/rpc/verify-http.js";
import { VerifyService } from "../../core/dist/src/rpc/verify-service.js";
import { GATED } from "../support/gated.js";

const BRIDGES = fileURLToPath(new URL("../../examples/bridges", import.meta.url));
const TOKEN = "0123456789abcdef";

const hasPython = ((): boolean => {
  try {
    execFileSync("python3", ["-c", "import sys; assert sys.version_info >= (3, 9)"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
if (!hasPython) console.warn("Skipping the tests of the Python bridges: there is no python3 from 3.9 up");

/** What a program prints last, as JSON; `outcome` calls a function and tells what it returned or raised. */
async function python(program: string, env: Record<string, string>): Promise<unknown> {
  const script = [
    "import asyncio, json",
    "import troupe_rewards as t",
    "def outcome(work):",
    "    try: return work()",
    "    except t.VerifierFailed as error: return {'raised': str(error)}",
    program,
  ].join("\n");
  const { stdout } = await promisify(execFile)("python3", ["-c", script], {
    env: { PATH: process.env["PATH"] ?? "", PYTHONPATH: BRIDGES, PYTHONDONTWRITEBYTECODE: "1", ...env },
  });
  return JSON.parse(stdout);
}

describe.skipIf(!hasPython)("troupe_rewards.py", () => {
  let service: VerifyService;
  let door: ServiceDoor;
  let env: Record<string, string>;
  beforeAll(async () => {
    service = await VerifyService.open({ verifiers: { math: { use: "math" }, gated: { use: GATED } }, threads: 1 });
    door = await listenHttp(service, { address: "127.0.0.1:0", maxBodyBytes: 2 ** 20, token: TOKEN });
    env = { TROUPE_VERIFY_URL: `http://${door.address}`, TROUPE_VERIFY_TOKEN: TOKEN };
  });
  afterAll(async () => {
    await door.close(0);
    await service.close();
  });

  it("gives TRL a float for each completion and None where the verifier abstains, and raises on a failure", async () => {
    const program = `
f = t.trl_reward(column="gold")
g = t.trl_reward(column="gold", verifier="gated")
chat = lambda text: [{"role": "assistant", "content": text}]
print(json.dumps([
    f(prompts=["q"] * 3, completions=["\\\\boxed{0.5}", "\\\\boxed{2}", "none"], completion_ids=[[1]] * 3, gold=["1/2", "1/2", "1/2"]),
    f(prompts=[[{"role": "user", "content": "q"}]], completions=[chat("\\\\boxed{0.5}")], gold=["1/2"]),
    g(prompts=["q"] * 2, completions=["abstain", "yes"], gold=["yes", "yes"]),
    outcome(lambda: g(prompts=["q"] * 2, completions=["throw", "yes"], gold=["yes", "yes"])),
    outcome(lambda: f(prompts=["q"] * 2, completions=["1"], gold=["1"])),
    outcome(lambda: t.trl_reward(column="gold", verifier="chess")(prompts=["q"], completions=["1"], gold=["1"])),
    f(prompts=[], completions=[], gold=[]),
]))`;
    expect(await python(program, env)).toEqual([
      [1, 0, 0],
      [1],
      [null, 1],
      { raised: 'sample "0": error, verifier-threw: RangeError: no verdict on 0' },
      { raised: "2 prompts, 1 completions and 1 ground truths are no batch" },
      { raised: expect.stringMatching(/^status 400: .*chess/) },
      [],
    ]);
  });

  it("gives verl one score a call, many calls in few requests, and raises what it has no word for", async () => {
    const program = `
async def many():
    calls = [t.compute_score("set", "\\\\boxed{%d}" % (k % 3), "1", {}) for k in range(60)]
    good = await asyncio.gather(*calls)
    odd = await asyncio.gather(
        t.compute_score("set", "abstain", "yes", {"verifier": "gated"}), return_exceptions=True)
    return [good, str(odd[0])]
print(json.dumps([asyncio.run(many()), asyncio.run(many())[0][:3]]))`;
    const before = requests(service);
    const good = Array.from({ length: 60 }, (_, index) => (index % 3 === 1 ? 1 : 0));
    expect(await python(program, env)).toEqual([
      [good, "the verifier abstained (asked-to), which has no reward here"],
      [0, 1, 0],
    ]);
    // One at a time they would be 122; on a machine that stops between two calls a window may be cut.
    expect(requests(service) - before).toBeLessThan(60);
  });

  it("gives slime the score of a sample by its label", async () => {
    const program = `
class Sample: response, label, metadata = "\\\\boxed{0.5}", "1/2", {}
class Other: response, label, metadata = "no", "yes", {"verifier": "gated"}
async def both(): return [await t.slime_reward(None, Sample(), evaluation=True), await t.slime_reward(None, Other())]
print(json.dumps(asyncio.run(both())))`;
    expect(await python(program, env)).toEqual([1, 0]);
  });

  it("gives OpenRLHF a score for each query, which begins with its prompt", async () => {
    const program = `
print(json.dumps([
    t.reward_func(["1+1? \\\\boxed{2}", "2+2? \\\\boxed{5}"], ["1+1? ", "2+2? "], ["2", "4"]),
    outcome(lambda: t.reward_func(["a", "b"], ["a", "b"], ["1"])),
]))`;
    expect(await python(program, env)).toEqual([[1, 0], { raised: "2 queries, 2 prompts and 1 labels are no batch" }]);
  });

  it("raises when the token is another, or nobody answers", async () => {
    const program = `
t.TRIES = 1
print(json.dumps(outcome(lambda: t.trl_reward()(prompts=["q"], completions=["1"], answer=["1"]))))`;
    expect(await python(program, { ...env, TROUPE_VERIFY_TOKEN: "another one, of length" })).toEqual({
      raised: expect.stringContaining("status 401"),
    });
    // Port 9 of loopback: nobody is there.
    expect(await python(program, { ...env, TROUPE_VERIFY_URL: "http://127.0.0.1:9" })).toEqual({
      raised: expect.stringContaining("no answer after 1 tries"),
    });
  });

  it("tries again with the same key when the service is busy, and raises on a list of another length", async () => {
    const keys: unknown[] = [];
    const reply = { sample_id: "0", verdict: "pass", score: 1, reason: "", verifier: "", verifier_version: "" };
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        keys.push(JSON.parse(body).idempotency_key);
        if (keys.length === 1) response.writeHead(429, { "retry-after": "0" }).end("{}");
        else response.end(JSON.stringify({ items: keys.length === 2 ? [reply] : [reply, reply] }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      // Listening on a port, it has an address with one.
      const { port } = server.address() as AddressInfo;
      const program = `
f = lambda: t.trl_reward()(prompts=["q"], completions=["1"], answer=["1"])
print(json.dumps([f(), outcome(f)]))`;
      expect(await python(program, { TROUPE_VERIFY_URL: `http://127.0.0.1:${port}` })).toEqual([
        [1],
        { raised: "1 items were sent, and 2 replies to others came" },
      ]);
      expect(keys).toHaveLength(3);
      expect(keys[0]).toBe(keys[1]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

/** Requests that a service has taken. */
function requests(service: VerifyService): number {
  return Number(/requests_total\{outcome="judged"\} (\d+)/.exec(service.metrics())?.[1] ?? 0);
}
