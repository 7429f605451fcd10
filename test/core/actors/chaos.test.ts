import { existsSync, appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ActorRef, Down } from "../../../core/src/actors/actor-ref.js";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import { systemClock, type Clock } from "../../../core/src/actors/clock.js";
import { connectRef, exposeRef } from "../../../core/src/actors/comlink-facade.js";
import { diagnose } from "../../../core/src/actors/diagnosis.js";
import { connectNode } from "../../../core/src/actors/node-link.js";
import { listenNode, type ActorNode } from "../../../core/src/actors/node-server.js";
import type { Placement } from "../../../core/src/actors/transport.js";
import { Watchdog } from "../../../core/src/actors/watchdog.js";
import { JsonlWriter } from "../../../core/src/store/jsonl.js";
import { failure, result, until } from "../../contracts/actor-placement.js";
import {
  bookkeeperActor,
  type BookkeeperArgs,
  type BookkeeperProtocol,
  type Misdeed,
} from "../../support/actors/bookkeeper-actor.js";
import { compiled } from "../../support/compiled-actor.js";
import { booksOf, deliverAll, type Desk } from "../../support/deliver-all.js";
import { isRunning } from "../../support/is-running.js";
import { ManualClock } from "../../support/manual-clock.js";
import { TcpProxy } from "../../support/tcp-proxy.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TroupeProcess } from "../../support/troupe-process.js";

/*
 * Each test does one thing to a system at work, and wants three things of it: the fault is named, the work goes on or
 * stops with a reason, and the books are those of a run without the fault, nothing missing, nothing twice.
 */

const PATIENCE = { deadlineMs: 600_000 };
const OPERATIONS = 48;
const ALL = Array.from({ length: OPERATIONS }, (_, operation) => operation);
const SUPERVISION = { restart: "permanent", maxRestarts: 20, withinMs: 600_000, backoffMs: [1, 1] } as const;
const security = { token: "a token for tests alone" };

const folder = temporaryFolder();
let files = 0;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Office extends Desk {
  readonly system: ActorSystem;
  readonly ends: readonly Down[];
}

/** A bookkeeper, everything that ends in its system, and its books. */
async function open(
  placement: Placement,
  args: Partial<BookkeeperArgs> = {},
  clock: Clock = systemClock,
): Promise<Office> {
  const file = join(folder, `books-${files++}.jsonl`);
  const system = new ActorSystem({ clock });
  closing.push(() => system.stop({ graceMs: 0 }));
  const ends: Down[] = [];
  system.events.on("down", (down) => ends.push(down));
  const hire = (): Promise<ActorRef<BookkeeperProtocol>> =>
    system.spawn(compiled(bookkeeperActor), { file, ...args }, { placement, supervision: SUPERVISION });
  let ref = await hire();
  return {
    file,
    system,
    ends,
    ref: () => ref,
    async replace() {
      await ref.stop({ graceMs: 0 });
      ref = await hire();
    },
  };
}

async function booksInOrder(file: string): Promise<readonly number[]> {
  return (await booksOf(file)).toSorted((a, b) => a - b);
}

describe("an actor that", () => {
  const thread = { at: "thread" } as const;
  const child = { at: "process", maxMemoryMb: 400 } as const;

  test.each<[Misdeed, Placement, Partial<Down>]>([
    ["throw", thread, { reason: "error", error: expect.objectContaining({ message: "thrown on purpose" }) }],
    ["reject", thread, { reason: "error", error: expect.objectContaining({ message: "nobody awaits this" }) }],
    ["exit", thread, { reason: "exit", exitCode: 3 }],
    ["throw", child, { reason: "error" }],
    ["exit", child, { reason: "exit", exitCode: 3 }],
    ["segfault", child, { reason: "exit", signal: "SIGSEGV" }],
    ["fillMemory", child, { reason: "out-of-memory" }],
    ["closeLink", child, {}],
  ])("does %s (%#) is named and restarted, and the books balance", async (misdeed, placement, down) => {
    const office = await open(placement);
    const { failures, refused } = await deliverAll(office, OPERATIONS, () => office.ref().tell("misbehave", misdeed));
    await until(() => office.ends.length > 0);
    expect(office.ends[0]).toMatchObject({ restarts: true, ...down });
    for (const one of failures) expect(one).toMatch(/^ACTOR_DOWN .* (not-run|unknown)$/);
    expect(refused).toEqual([]);
    expect(await booksInOrder(office.file)).toEqual(ALL);
  });

  test.each<[Misdeed, Placement]>([
    ["hang", thread],
    ["closePort", thread],
    ["hang", child],
  ])(
    "does %s (%#) misses a deadline, is named by it and replaced, and the books balance",
    async (misdeed, placement) => {
      const office = await open(placement);
      const { failures } = await deliverAll(office, OPERATIONS, () => office.ref().tell("misbehave", misdeed), 1_500);
      expect(failures.length).toBeGreaterThan(0);
      for (const one of failures) expect(one).toMatch(/^ASK_DEADLINE/);
      expect(office.ends.map(({ reason }) => reason)).toContain("killed");
      expect(await booksInOrder(office.file)).toEqual(ALL);
    },
  );

  test("hangs is named by the watchdog while everybody still waits for it", async () => {
    const clock = new ManualClock();
    const office = await open(thread, {}, clock);
    const held: string[] = [];
    const watchdog = new Watchdog(office.system, clock, { report: () => {}, held: (_, text) => held.push(text) });
    closing.push(async () => watchdog.end());
    office.ref().tell("misbehave", "hang");
    const waiting = result(office.ref().ask("book", 1, { deadlineMs: 10_000, by: "step 3" }));
    await until(() => office.system.list()[0]?.current !== undefined);
    expect(diagnose(watchdog.report())).toMatchObject({
      culprit: "bookkeeper-1",
      text: expect.stringContaining('"misbehave"'),
    });
    await clock.advance(6_000);
    expect(held).toEqual([expect.stringMatching(/^bookkeeper-1 has worked on "misbehave".*step 3 gives up in 4.0 s$/)]);
    await office.ref().stop({ graceMs: 0 });
    expect(await waiting).toMatchObject({ error: { code: "ACTOR_DOWN", details: { outcome: "not-run" } } });
  });

  test.each<[Placement["at"], Placement]>([
    ["thread", thread],
    ["process", child],
  ])(
    "dies of one poisonous message (%s) is restarted, the message is named after two deaths, the others are booked",
    async (_, placement) => {
      const office = await open(placement, { poison: 21 });
      const { failures, refused } = await deliverAll(office, OPERATIONS, () => {});
      expect(refused).toEqual([21]);
      expect(failures.filter((one) => one === "ACTOR_DOWN exit unknown")).toHaveLength(2);
      expect(office.ends.map(({ reason, exitCode }) => [reason, exitCode])).toEqual([
        ["exit", 9],
        ["exit", 9],
      ]);
      expect(await booksInOrder(office.file)).toEqual(ALL.filter((operation) => operation !== 21));
    },
  );

  test.runIf(existsSync("/dev/full"))(
    "finds the disk full says so, lives on, and goes on when there is room",
    async () => {
      const office = await open(thread);
      const onceMore = () => result(office.ref().ask("book", OPERATIONS, PATIENCE));
      let met: Awaited<ReturnType<typeof onceMore>> | undefined;
      const { failures } = await deliverAll(office, OPERATIONS, async () => {
        writeFileSync(`${office.file}.full`, "");
        // Behind those that are under way: it is full until somebody is sure to have met it.
        met = await onceMore();
        rmSync(`${office.file}.full`);
      });
      expect(met).toMatchObject({
        error: { code: "HANDLER_FAILED", details: { outcome: "failed" }, cause: { code: "ENOSPC" } },
      });
      expect(failures.filter((one) => one !== "HANDLER_FAILED ENOSPC failed")).toEqual([]);
      expect(await onceMore()).toEqual({ value: null });
      expect(office.ends).toEqual([]);
      expect(await booksInOrder(office.file)).toEqual([...ALL, OPERATIONS]);
    },
  );
});

describe("a mailbox", () => {
  test("that is flooded takes its capacity, tells the sender, and loses nothing that it took", async () => {
    const office = await open({ at: "thread" });
    let accepted = 0;
    for (let n = 0; n < 20_000; n += 1) if (office.ref().tell("bookSlowly", accepted) === "accepted") accepted += 1;
    expect(accepted).toBe(1_024);
    expect(office.system.list()[0]?.mailbox).toMatchObject({ capacity: 1_024 });
    await office.ref().stop({ graceMs: 600_000 });
    expect(await booksOf(office.file)).toEqual(Array.from({ length: accepted }, (_, operation) => operation));
    expect(office.system.deadLetters.counts).toMatchObject({ lost: 0, gone: 0 });
  });

  test("of a slow consumer slows its senders down to its pace", async () => {
    const office = await open({ at: "process" });
    let deepest = 0;
    for (const operation of ALL) {
      await office.ref().offer("bookSlowly", operation, PATIENCE);
      deepest = Math.max(deepest, office.system.list()[0]?.mailbox.depth ?? 0);
    }
    await office.ref().stop({ graceMs: 600_000 });
    expect(deepest).toBeLessThanOrEqual(1_024);
    expect(await booksOf(office.file)).toEqual(ALL);
  });
});

test("a port that is closed while an answer is on its way fails the ask at once, and its effect is known", async () => {
  const office = await open({ at: "thread" });
  const exposed = exposeRef(office.ref());
  const remote = connectRef<BookkeeperProtocol>(exposed);
  await remote.ask("book", 0, PATIENCE);
  office.ref().tell("misbehave", "hang");
  const asked = failure(remote.ask("book", 1, PATIENCE));
  exposed.port.close();
  expect(await asked).toMatchObject({ code: "ACTOR_DOWN", details: { reason: "port closed", outcome: "unknown" } });
  await office.replace();
  expect(await booksOf(office.file)).toEqual([0]);
});

test("a clock that jumps ahead by a day ends waits by name, and nothing is done twice", async () => {
  const clock = new ManualClock();
  const office = await open({ at: "inline" }, {}, clock);
  const asked = result(office.ref().ask("bookSlowly", 0, { deadlineMs: 60_000 }));
  await clock.advance(1);
  const queued = result(office.ref().ask("book", 1, { deadlineMs: 60_000 }));
  clock.jump(86_400_000);
  await clock.advance(0);
  // Each either made it or is named; the books decide.
  const outcomes = await Promise.all([asked, queued]);
  for (const one of outcomes) if ("error" in one) expect(one.error.code).toBe("ASK_DEADLINE");
  expect(await office.ref().ask("alive", null, PATIENCE)).toBe(process.pid);
  const books = await booksOf(office.file);
  expect(new Set(books).size).toBe(books.length);
  await deliverAll(office, 8, () => {});
});

test("a journal whose last record was torn gives up that record alone, and it is written again", async () => {
  const office = await open({ at: "thread" });
  await deliverAll(office, 16, () => {});
  appendFileSync(office.file, '{"operation":1');
  const writer = await JsonlWriter.open<{ operation: number }>(office.file);
  expect(writer.tornBytes).toBe(14);
  await writer.close();
  const booked = await booksOf(office.file);
  expect(booked).toEqual(ALL.slice(0, 16));
  for (const operation of ALL) if (!booked.includes(operation)) await office.ref().ask("book", operation, PATIENCE);
  expect(await booksOf(office.file)).toEqual(ALL);
});

test("a process that is stopped for a while misses a deadline, answers late, and its message is not sent again", async () => {
  const office = await open({ at: "process" });
  const pid = await office.ref().ask("alive", null, PATIENCE);
  const letter = new Promise((resolve) => office.system.events.once("dead-letter", resolve));
  process.kill(pid, "SIGSTOP");
  const late = await failure(office.ref().ask("book", 7, { deadlineMs: 300 }));
  expect(late).toMatchObject({ code: "ASK_DEADLINE", details: { outcome: "unknown" } });
  process.kill(pid, "SIGCONT");
  const again = await office.ref().ask("alive", null, PATIENCE);
  expect(again).toBe(pid);
  // The cancel may have overtaken it; then it never ran, and nothing comes late.
  const books = await booksOf(office.file);
  if (books.length === 1) expect(await letter).toMatchObject({ reason: "late", type: "book" });
  else expect(books).toEqual([]);
});

test("a driver that is killed leaves no process behind, and the next one completes its books", async () => {
  const file = join(folder, "driver.jsonl");
  const built = new URL("../../../", import.meta.url).href;
  const script = join(folder, "driver.mjs");
  writeFileSync(
    script,
    `import { ActorSystem } from "${built}core/dist/src/actors/index.js";
    import { bookkeeperActor } from "${built}test/dist/support/actors/bookkeeper-actor.js";
    const system = new ActorSystem();
    const ref = await system.spawn(bookkeeperActor, { file: ${JSON.stringify(file)} }, { placement: { at: "process" } });
    console.log(await ref.ask("alive", null, { deadlineMs: 600000 }));
    for (let n = 0; n < ${OPERATIONS}; n += 1) {
      await ref.ask("bookSlowly", n, { deadlineMs: 600000 });
      if (n === 10) process.kill(process.pid, "SIGKILL");
    }`,
  );
  const { spawn } = await import("node:child_process");
  const driver = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const said = new Promise<string>((resolve) => driver.stdout.once("data", (text) => resolve(String(text))));
  const gone = new Promise((resolve) => driver.once("exit", resolve));
  const child = Number(await said);
  await gone;
  await until(() => !isRunning(child));
  const office = await open({ at: "process" });
  const booked = await booksOf(file);
  expect(booked).toEqual(ALL.slice(0, booked.length));
  expect(booked.length).toBeGreaterThanOrEqual(11);
  for (const operation of ALL.slice(booked.length)) await office.ref().ask("book", operation, PATIENCE);
  expect([...booked, ...(await booksOf(office.file))]).toEqual(ALL);
});

describe("a node", () => {
  async function listening(): Promise<ActorNode> {
    const node = await listenNode({ address: "127.0.0.1:0", security });
    closing.push(() => node.close());
    return node;
  }

  async function through(host: { readonly address: string }): Promise<{ proxy: TcpProxy; office: Office }> {
    const proxy = await TcpProxy.to(host.address);
    closing.push(() => proxy.close());
    const node = await connectNode({ address: proxy.address, security, leaseMs: 1_500 });
    closing.push(() => node.close());
    return { proxy, office: await open({ at: "remote", node }) };
  }

  test("whose link breaks is named, dialled again, and the books balance", async () => {
    const { proxy, office } = await through(await listening());
    const { failures } = await deliverAll(office, OPERATIONS, () => proxy.cut());
    for (const one of failures) expect(one).toMatch(/^ACTOR_DOWN unreachable/);
    expect(office.ends[0]).toMatchObject({ reason: "unreachable", error: { code: "NODE_UNREACHABLE" } });
    expect(await booksInOrder(office.file)).toEqual(ALL);
  });

  test("behind a partition is named within its lease, and the books balance when that heals", async () => {
    const { proxy, office } = await through(await listening());
    const { failures } = await deliverAll(office, OPERATIONS, () => {
      proxy.stall();
      office.system.events.once("down", () => {
        proxy.cut();
        proxy.heal();
      });
    });
    expect(failures.length).toBeGreaterThan(0);
    expect(office.ends[0]).toMatchObject({
      reason: "unreachable",
      error: { message: expect.stringContaining("nothing was heard of it for") },
    });
    expect(await booksInOrder(office.file)).toEqual(ALL);
  });

  test("that sends nonsense is cut off and dialled again, and the books balance", async () => {
    const { proxy, office } = await through(await listening());
    await deliverAll(office, OPERATIONS, () => proxy.garble());
    expect(office.ends[0]).toMatchObject({ reason: "unreachable" });
    expect(await booksInOrder(office.file)).toEqual(ALL);
  });

  test("that is killed and started again takes the work up, and the books balance", async () => {
    const start = async (address: string): Promise<{ node: TroupeProcess; address: string }> => {
      let heard: (address: string) => void = () => {};
      const listensOn = new Promise<string>((resolve) => (heard = resolve));
      const tokenFile = join(folder, "node-token");
      writeFileSync(tokenFile, security.token);
      const folders = { runs: folder, home: folder };
      const node = new TroupeProcess(["node", "--listen", address, "--token-file", tokenFile], folders, (line) => {
        if (line.startsWith("listening on ")) heard(line.slice("listening on ".length));
      });
      closing.push(async () => {
        node.signal("SIGKILL");
        await node.ended;
      });
      return { node, address: await listensOn };
    };
    const first = await start("127.0.0.1:0");
    const { office } = await through(first);
    const { failures } = await deliverAll(office, OPERATIONS, async () => {
      first.node.signal("SIGKILL");
      await first.node.ended;
      await start(first.address);
    });
    for (const one of failures) expect(one).toMatch(/^ACTOR_DOWN unreachable/);
    expect(office.ends[0]).toMatchObject({ reason: "unreachable", restarts: true });
    expect(await booksInOrder(office.file)).toEqual(ALL);
  });

  test("refuses a driver of an old incarnation for good, and the books hold what the new one did", async () => {
    const host = await listening();
    const dial = (incarnation: number): ReturnType<typeof connectNode> =>
      connectNode({ address: host.address, security, identity: { name: "driver", incarnation } });
    const older = await dial(1);
    const left = await open({ at: "remote", node: older });
    await left.ref().ask("book", 0, PATIENCE);
    const newer = await dial(2);
    closing.push(() => newer.close());
    closing.push(() => older.close());
    const office = await open({ at: "remote", node: newer });
    await deliverAll(office, OPERATIONS, () => {});
    const late = await failure(left.ref().ask("book", 99, PATIENCE));
    expect(late.code).toMatch(/^ACTOR_(DOWN|GONE)$/);
    expect(await failure(dial(1))).toMatchObject({ code: "NODE_REFUSED" });
    await until(() => left.system.list().length === 0);
    expect(left.ends.map(({ reason }) => reason)).toContain("unreachable");
    expect(await booksOf(left.file)).toEqual([0]);
    expect(await booksInOrder(office.file)).toEqual(ALL);
  });
});

test("a system whose actor gives up ends the process with a reason and a code that is not 0", async () => {
  const { runScript } = await import("../../support/run-script.js");
  const end = await runScript(`
    import { ActorSystem } from "CORE/actors/index.js";
    import { bookkeeperActor } from "SUPPORT/actors/bookkeeper-actor.js";
    const supervision = { restart: "permanent", maxRestarts: 1, withinMs: 60000, backoffMs: [1, 1], onGivingUp: "escalate" };
    const system = new ActorSystem();
    const ref = await system.spawn(bookkeeperActor, { file: "/nowhere", poison: 1 }, { id: "books", placement: { at: "thread" }, supervision });
    for (;;) await ref.ask("book", 1, { deadlineMs: 600000 }).catch(() => {});`);
  expect(end.exitCode).toBe(1);
  expect(end.stderr).toContain('Cannot go on with actor "books": it gave up (exit)');
});
