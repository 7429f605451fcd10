import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ActorRef, Down } from "../../../core/src/actors/actor-ref.js";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import { connectNode, type NodeLink, type NodeOptions } from "../../../core/src/actors/node-link.js";
import { listenNode, type ActorNode } from "../../../core/src/actors/node-server.js";
import type { NodeSecurity } from "../../../core/src/actors/node-service.js";
import { localModule, portableModule } from "../../../core/src/actors/portable-module.js";
import { failure, result, until } from "../../contracts/actor-placement.js";
import { cellsInFile, ProbeMemory } from "../../support/actors/probe-memory.js";
import { probeActor, type ProbeProtocol } from "../../support/actors/probe-actor.js";
import { compiled } from "../../support/compiled-actor.js";
import { TcpProxy } from "../../support/tcp-proxy.js";
import { runTroupe, TroupeProcess } from "../../support/troupe-process.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const PATIENCE = { deadlineMs: 600_000 };
const SUPERVISION = { restart: "permanent", maxRestarts: 20, withinMs: 600_000, backoffMs: [1, 1] } as const;
const security = { token: "a token for tests alone" };
const folder = temporaryFolder();

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function opened(secured: NodeSecurity = security): Promise<ActorNode> {
  const node = await listenNode({ address: "127.0.0.1:0", security: secured });
  closing.push(() => node.close());
  return node;
}

async function dialled(options: NodeOptions): Promise<NodeLink> {
  const link = await connectNode(options);
  closing.push(() => link.close());
  return link;
}

async function spawned(node: NodeLink, args = {}): Promise<ActorRef<ProbeProtocol>> {
  const system = new ActorSystem();
  closing.push(() => system.stop({ graceMs: 0 }));
  return system.spawn(compiled(probeActor), args, { placement: { at: "remote", node }, supervision: SUPERVISION });
}

/** Every end of an actor, and a wait for the next. */
function endsOf(ref: ActorRef<ProbeProtocol>): { readonly all: Down[]; until(count: number): Promise<void> } {
  const all: Down[] = [];
  ref.watch((down) => all.push(down));
  return { all, until: (count) => until(() => all.length >= count) };
}

describe("connectNode() and listenNode()", () => {
  test("refuse whoever has another token, and an address that is open to strangers", async () => {
    const node = await opened();
    const other = { token: "some other token altogether" };
    expect(await failure(connectNode({ address: node.address, security: other }))).toMatchObject({
      code: "NODE_REFUSED",
    });
    for (const [address, wrong] of [
      ["127.0.0.1:0", {}],
      ["127.0.0.1:0", { token: "short" }],
      ["0.0.0.0:0", security],
      ["somewhere", security],
    ] as const) {
      expect(await failure(listenNode({ address, security: wrong }))).toMatchObject({ code: "NODE_NOT_SECURED" });
    }
    expect(await failure(listenNode({ address: node.address, security }))).toMatchObject({ code: "NODE_NOT_OPENED" });
    expect(node.actors).toBe(0);
  });

  test("fail by name when nobody listens", async () => {
    const node = await listenNode({ address: "127.0.0.1:0", security });
    await node.close();
    const error = await failure(connectNode({ address: node.address, security }));
    expect(error).toMatchObject({ code: "NODE_UNREACHABLE", details: { address: node.address } });
  });

  test.skipIf(!hasOpenssl())("talk over certificates, and only to those who have one", async () => {
    const [ours, theirs] = [certificates("ours"), certificates("theirs")];
    const node = await opened({ tls: ours });
    const ref = await spawned(await dialled({ address: node.address, security: { tls: ours } }));
    expect(await ref.ask("echo", "in secret", PATIENCE)).toBe("in secret");
    expect((await failure(connectNode({ address: node.address, security: { tls: theirs } }))).code).toBe(
      "NODE_UNREACHABLE",
    );
    expect((await failure(connectNode({ address: node.address, security }))).code).toBe("NODE_UNREACHABLE");
  });
});

describe("a link between nodes", () => {
  test("that breaks ends its actors as unreachable, and they begin anew on the next", async () => {
    const host = await opened();
    const proxy = await TcpProxy.to(host.address);
    closing.push(() => proxy.close());
    const ref = await spawned(await dialled({ address: proxy.address, security }));
    const ends = endsOf(ref);
    const memory = cellsInFile(join(folder, "cut"), 4);
    const second = await spawned(await dialled({ address: host.address, security }), { memory });
    await ref.ask("mark", 1, PATIENCE);
    const stuck = result(ref.ask("wait", { heedsAbort: false }, PATIENCE));
    proxy.cut();
    await ends.until(1);
    expect(ends.all[0]).toMatchObject({ reason: "unreachable", restarts: true, error: { code: "NODE_UNREACHABLE" } });
    expect(await stuck).toMatchObject({ error: { code: "ACTOR_DOWN", details: { outcome: "unknown" } } });
    expect(await ref.ask("marked", null, PATIENCE)).toEqual([]);
    expect(await second.ask("mark", 0, PATIENCE)).toBe(0);
    expect(new ProbeMemory(memory).read()).toEqual([1, 0, 1, 0]);
    await until(() => host.actors === 2);
  });

  test("on which nothing is heard for a lease is given up by both sides", async () => {
    const host = await opened();
    const proxy = await TcpProxy.to(host.address);
    closing.push(() => proxy.close());
    const ref = await spawned(await dialled({ address: proxy.address, security, leaseMs: 600 }));
    const ends = endsOf(ref);
    proxy.stall();
    await ends.until(1);
    expect(ends.all[0]).toMatchObject({
      reason: "unreachable",
      error: { message: expect.stringContaining("nothing was heard") },
    });
    await until(() => host.actors === 0);
    proxy.cut();
    proxy.heal();
    expect(await ref.ask("echo", "again", PATIENCE)).toBe("again");
  });

  test("of a newer incarnation ends the older one's actors, and the older one is refused for good", async () => {
    const host = await opened();
    const older = await dialled({ address: host.address, security, identity: { name: "run-7", incarnation: 1 } });
    const ref = await spawned(older);
    const ends = endsOf(ref);
    const newer = await dialled({ address: host.address, security, identity: { name: "run-7", incarnation: 2 } });
    await ends.until(1);
    expect(ends.all[0]?.reason).toBe("unreachable");
    const after = await failure(ref.ask("echo", 1, PATIENCE));
    expect(after.code).toMatch(/ACTOR_DOWN|ACTOR_GONE/);
    await until(() => host.actors === 0);
    expect(
      await failure(connectNode({ address: host.address, security, identity: { name: "run-7", incarnation: 1 } })),
    ).toMatchObject({
      code: "NODE_REFUSED",
      message: expect.stringContaining("newer incarnation"),
    });
    expect(await (await spawned(newer)).ask("echo", 2, PATIENCE)).toBe(2);
  });

  test("carries a large message in pieces, and a cancel overtakes it", async () => {
    const host = await opened();
    const ref = await spawned(await dialled({ address: host.address, security }));
    const bytes = new Uint8Array(24 << 20).fill(3);
    const echoed = await ref.ask("echo", bytes, PATIENCE);
    expect(Buffer.compare(Buffer.from(echoed as Uint8Array), bytes)).toBe(0); // As it was sent.
    const controller = new AbortController();
    const large = failure(ref.ask("echo", bytes, { ...PATIENCE, signal: controller.signal }));
    controller.abort();
    expect((await large).code).toBe("ASK_ABORTED");
    expect(await ref.ask("echo", 1, PATIENCE)).toBe(1);
  });
});

test("`troupe node` hosts actors, and what it hosts ends as unreachable when it is killed", async () => {
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${security.token}\n`);
  const folders = { runs: folder, home: folder };
  let listening: (address: string) => void = () => {};
  const address = new Promise<string>((resolve) => (listening = resolve));
  const started = new TroupeProcess(["node", "--listen", "127.0.0.1:0", "--token-file", tokenFile], folders, (line) => {
    if (line.startsWith("listening on ")) listening(line.slice("listening on ".length));
  });
  const ref = await spawned(await dialled({ address: await address, security }));
  expect(await ref.ask("echo", "from afar", PATIENCE)).toBe("from afar");
  const ends = endsOf(ref);
  started.signal("SIGKILL");
  await started.ended;
  await ends.until(1);
  expect(ends.all[0]).toMatchObject({ reason: "unreachable", error: { code: "NODE_UNREACHABLE" } });
  const refused = await runTroupe(["node", "--listen", "0.0.0.0:0", "--token-file", tokenFile], folders);
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("NODE_NOT_SECURED") });
});

test("portableModule() names what belongs to the package, wherever it is installed", () => {
  const own = new URL("../../../core/src/verify/verify-actor.js", import.meta.url).href;
  expect(portableModule(own)).toBe("troupe-core:src/verify/verify-actor.js");
  expect(localModule(portableModule(own))).toBe(own);
  expect(localModule(portableModule("file:///elsewhere/a.js"))).toBe("file:///elsewhere/a.js");
});

/** A certificate for this machine that its own authority has signed. */
function certificates(name: string): { readonly ca: string; readonly cert: string; readonly key: string } {
  const at = (file: string): string => join(folder, `${name}-${file}`);
  const openssl = (...words: string[]): void => void execFileSync("openssl", words, { stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", at("ca.key"), "-out", at("ca"), "-days", "2", "-subj", `/CN=${name}`);
  openssl(
    "req",
    ...newKey,
    "-keyout",
    at("key"),
    "-out",
    at("csr"),
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
  );
  openssl(
    "x509",
    "-req",
    "-in",
    at("csr"),
    "-CA",
    at("ca"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-out",
    at("cert"),
    "-days",
    "2",
    "-copy_extensions",
    "copy",
  );
  const text = (file: string): string => readFileSync(at(file), "utf8");
  return { ca: text("ca"), cert: text("cert"), key: text("key") };
}

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}
