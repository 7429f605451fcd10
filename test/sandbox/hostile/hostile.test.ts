import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CodeCaseInput } from "../../../environments/code/code-case.js";
import type { Language } from "../../../environments/code/sandbox.js";
import type { Verdict } from "../../../core/src/records/verdict.js";
import { judgeStrongly, strongSandbox } from "../../support/strong-sandbox.js";
import type { HostileProgram, Surroundings } from "./hostile-program.js";
import { JAVASCRIPT_PROGRAMS } from "./javascript-programs.js";
import { PYTHON_PROGRAMS } from "./python-programs.js";
import { groupsLeft, processesLeft } from "./traces.js";

const SECRET = "SECRET-0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const folder = mkdtempSync(join(tmpdir(), "troupe-hostile-"));
const mark = `troupe-hostile-${process.pid}`;
const visitors: string[] = [];
const servers: Server[] = [];
let where: Surroundings;

async function listen(
  at: { readonly port: number; readonly host: string } | { readonly path: string },
): Promise<Server> {
  const server = createServer((socket) => {
    visitors.push("port" in at ? "tcp" : at.path);
    socket.destroy();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server;
}

beforeAll(async () => {
  const secretFile = join(folder, "expected.txt");
  writeFileSync(secretFile, SECRET);
  process.env["TROUPE_HOSTILE_SECRET"] = SECRET;
  const tcp = await listen({ port: 0, host: "127.0.0.1" });
  await listen({ path: `\0${mark}` });
  // A listener by TCP has an address of this kind.
  const { port } = tcp.address() as AddressInfo;
  where = { repository: fileURLToPath(new URL("../../..", import.meta.url)), secretFile, mark, port };
});
afterAll(async () => {
  delete process.env["TROUPE_HOSTILE_SECRET"];
  rmSync(folder, { recursive: true });
  for (const server of servers) server.close();
  await strongSandbox?.close();
});

function caseOf(one: HostileProgram, language: Language): CodeCaseInput {
  const program = typeof one.program === "string" ? one.program : one.program(where);
  // An honest one must not fail on a busy machine; for the others a limit is a limit.
  const limits = { testMs: one.isHonest === true ? 30_000 : (one.limitMs ?? 700), totalMs: 60_000, outputKb: 2048 };
  const words = ["line 0", "line 1", "line 2"];
  if (one.kind === "call")
    return {
      mode: "function",
      functionName: "solve",
      language,
      program,
      limits,
      tests: words.map((x) => ({ args: [x], expected: x })),
    };
  const tests = words.map((input) => ({ input: `${input}\n`, output: one.kind === "echo" ? input : SECRET }));
  return { mode: "stdin", checker: "tokens", language, program, limits, tests };
}

const all = [
  ...PYTHON_PROGRAMS.map((one) => ({ one, language: "python" as const })),
  ...JAVASCRIPT_PROGRAMS.map((one) => ({ one, language: "javascript" as const })),
];

describe.skipIf(strongSandbox === undefined)("hostile programs in tier A, by the pool that training uses", () => {
  const verdicts = new Map<HostileProgram, Promise<Verdict>>();
  beforeAll(() => {
    // All at once, two lanes: what one of them does must not matter to its neighbour.
    const waiting = [...all];
    const started = new Map(all.map(({ one }) => [one, deferred<Verdict>()]));
    for (const [one, { promise }] of started) verdicts.set(one, promise);
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { one, language } = next;
        await judgeStrongly(caseOf(one, language)).then(started.get(one)?.resolve, started.get(one)?.reject);
      }
    };
    void Promise.all([lane(), lane()]);
  });

  it("are more than 100, honest ones among them", () => {
    expect(all.filter(({ one }) => one.isHonest !== true).length).toBeGreaterThanOrEqual(100);
    expect(all.filter(({ one }) => one.isHonest === true).length).toBeGreaterThanOrEqual(10);
  });

  it.each(all.map(({ one, language }) => ({ title: `${language}: ${one.name}`, one })))(
    "$title",
    async ({ one }) => {
      const verdict = await verdicts.get(one);
      const said = JSON.stringify(verdict);
      if (one.isHonest === true) expect(verdict, said).toMatchObject({ kind: "pass" });
      else {
        expect(verdict, said).toMatchObject({ kind: "fail", score: 0 });
        // Whichever limit it meets first on a busy machine, a limit it is.
        if (one.want !== undefined && !verdict?.reason.startsWith("time-limit"))
          expect(verdict?.reason).toMatch(new RegExp(`^${one.want}`));
        // What is expected stands in the reason; nothing else may hold it.
        expect(verdict?.reason.replace(/, want .*$/s, ""), "the answer was found").not.toContain(SECRET);
      }
    },
    300_000,
  );

  it("leave no process, no cgroup, no file and no connection behind", async () => {
    await Promise.all(verdicts.values());
    await strongSandbox?.close();
    expect(processesLeft()).toEqual([]);
    expect(groupsLeft()).toEqual([]);
    expect(visitors).toEqual([]);
    for (const place of ["/", "/usr/lib", "/dev", "/lib", tmpdir(), "/tmp"])
      for (const name of ["troupe-hostile", mark]) expect(existsSync(join(place, name)), join(place, name)).toBe(false);
  }, 300_000);
});

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(reason: unknown): void } {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
