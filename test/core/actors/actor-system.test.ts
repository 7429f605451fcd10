import { expect, test } from "vitest";
import type { ActorRef } from "../../../core/src/actors/actor-ref.js";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import { failure, until } from "../../contracts/actor-placement.js";
import type { Supervision } from "../../../core/src/actors/supervisor.js";
import type { Placement } from "../../../core/src/actors/transport.js";
import type { TroupeError } from "../../../core/src/error-catalogue.js";
import { probeActor, type ProbeProtocol } from "../../support/actors/probe-actor.js";
import { ManualClock, settle } from "../../support/manual-clock.js";

test("ask() fails at its deadline exactly when the clock reaches it", async () => {
  const clock = new ManualClock(1_000);
  const system = new ActorSystem({ clock });
  const ref = await system.spawn(probeActor, {});
  const failures: string[] = [];
  for (const deadlineMs of [300, 100, 200]) {
    void failure(ref.ask("gate", null, { deadlineMs })).then((error) =>
      failures.push(`${clock.now()}:${String(error.details["deadlineMs"])}`),
    );
  }
  await settle();
  await clock.advance(99);
  expect(failures).toEqual([]);
  expect(system.list()[0]).toMatchObject({ oldestAskAt: 1_000, current: { type: "gate", since: 1_000 } });
  await clock.advance(1);
  expect(failures).toEqual(["1100:100"]);
  await clock.advance(1_000);
  expect(failures).toEqual(["1100:100", "1200:200", "1300:300"]);
  await system.stop({ graceMs: 0 });
  expect(clock.pending).toBe(0);
});

test("a crashed actor restarts at once, and after a further crash when its pause is over and not before", async () => {
  const clock = new ManualClock();
  const system = new ActorSystem({ clock });
  const supervision = { restart: "permanent", maxRestarts: 3, withinMs: 10_000, backoffMs: [100, 1_000] } as const;
  const ref = await system.spawn(probeActor, {}, { supervision });
  for (const [restarts, pauseMs] of [0, 100, 200].entries()) {
    ref.tell("throw", null);
    await until(() => system.list()[0]?.state === "restarting");
    if (pauseMs > 0) await clock.advance(pauseMs - 1);
    expect(system.list()[0]).toMatchObject({ state: "restarting", incarnation: restarts + 1 });
    await clock.advance(pauseMs > 0 ? 1 : 0);
    expect(system.list()[0]).toMatchObject({ state: "running", incarnation: restarts + 2, restarts: restarts + 1 });
  }
  await system.stop({ graceMs: 0 });
  expect(clock.pending).toBe(0);
});

test("stop() cuts an inline actor off when its grace is over, and disposes when the handler is through at last", async () => {
  const clock = new ManualClock();
  const system = new ActorSystem({ clock });
  const memory = new SharedArrayBuffer(8);
  const ref = await system.spawn(probeActor, { memory });
  const stuck = failure(ref.ask("wait", { heedsAbort: true }, { deadlineMs: 60_000 }));
  const stopped = ref.stop({ graceMs: 1_000 });
  await clock.advance(999);
  expect(system.list()[0]).toMatchObject({ state: "stopping" });
  await clock.advance(1);
  await stopped;
  expect(await stuck).toMatchObject({ code: "ACTOR_DOWN", details: { reason: "killed", outcome: "unknown" } });
  expect([...new Int32Array(memory)]).toEqual([1, 1]);
  await system.stop();
});

test("an inline actor disposes once, under no running handler, when another of its messages crashes it", async () => {
  const system = new ActorSystem();
  const memory = new SharedArrayBuffer(12);
  const ref = await system.spawn(
    probeActor,
    { memory },
    { supervision: { restart: "temporary", maxRestarts: 0, withinMs: 1, backoffMs: [1, 1] } },
  );
  const disposals = (): number => Atomics.load(new Int32Array(memory), 1);
  const waiting = new Promise((resolve) => system.events.once("actor-event", resolve));
  const beside = failure(ref.ask("besideUntilAborted", null, { deadlineMs: 600_000 }));
  await waiting;
  ref.tell("throwBeside", null);
  expect(await beside).toMatchObject({ code: "ACTOR_DOWN", details: { outcome: "unknown" } });
  await until(() => disposals() === 1);
  await settle();
  expect([...new Int32Array(memory)]).toEqual([1, 1, 1]);
});

const RESTARTS = { restart: "permanent", maxRestarts: 1, withinMs: 60_000, backoffMs: [1, 1] } as const;

/** A parent with two children, and the addresses of those that went down, with why. */
async function family(
  child: Supervision,
): Promise<{ system: ActorSystem; refs: ActorRef<ProbeProtocol>[]; downs: string[] }> {
  const system = new ActorSystem();
  const downs: string[] = [];
  system.events.on("down", ({ address, reason, restarts }) => downs.push(`${address} ${reason} ${restarts}`));
  const refs = [await system.spawn(probeActor, {}, { id: "parent", supervision: RESTARTS })];
  for (const id of ["one", "two"])
    refs.push(await system.spawn(probeActor, {}, { id, parent: "parent", supervision: child }));
  return { system, refs, downs };
}

test("children begin anew when their parent restarts, and end when it ends", async () => {
  const { system, refs, downs } = await family(RESTARTS);
  const [parent, one] = refs;
  await one?.ask("mark", 1, { deadlineMs: 600_000 });
  parent?.tell("throw", null);
  await until(() => system.list().every(({ state, incarnation }) => state === "running" && incarnation === 2));
  expect(downs).toEqual(["parent error true", "one parent-down true", "two parent-down true"]);
  expect(await one?.ask("marked", null, { deadlineMs: 600_000 })).toEqual([]);
  expect(system.list()[1]).toMatchObject({ address: "one", parent: "parent" });
  downs.length = 0;
  await parent?.stop();
  expect(downs).toEqual(["one stopped false", "two stopped false", "parent stopped false"]);
  expect((await failure(system.spawn(probeActor, {}, { parent: "parent" }))).code).toBe("ACTOR_PARENT_MISSING");
  await system.stop();
});

test("a child that gives up is a crash of its parent, and of the system when the parent gives up too", async () => {
  const escalates = { ...RESTARTS, maxRestarts: 0, onGivingUp: "escalate" } as const;
  const { system, refs, downs } = await family(escalates);
  refs[1]?.tell("throw", null);
  await until(() => system.list().every(({ state, incarnation }) => state === "running" && incarnation === 2));
  expect(downs).toEqual(["one error true", "parent escalated true", "two parent-down true"]);
  refs[1]?.tell("throw", null);
  await until(() => system.list().length === 0);
  expect(downs.slice(3)).toEqual(["one error true", "parent escalated false", "two parent-down false"]);

  const root = new ActorSystem();
  const failed = new Promise<TroupeError>((resolve) => root.events.once("failed", resolve));
  const alone = await root.spawn(probeActor, {}, { id: "alone", supervision: escalates });
  await root.spawn(probeActor, {});
  alone.tell("throw", null);
  expect(await failed).toMatchObject({
    code: "ACTOR_ESCALATED",
    details: { address: "alone" },
    cause: { code: "PROBE" },
  });
  await until(() => root.list().length === 0);
});

test("schedule() tells by the clock until it is taken back or the actor ends", async () => {
  const clock = new ManualClock();
  const system = new ActorSystem({ clock });
  const ref = await system.spawn(probeActor, {}, { mailbox: { capacity: 2 } });
  system.schedule(ref, "mark", 1, { afterMs: 100 });
  const takeBack = system.schedule(ref, "mark", 2, { afterMs: 50, everyMs: 100 });
  await clock.advance(260);
  takeBack();
  await clock.advance(1_000);
  expect(await ref.ask("marked", null, { deadlineMs: 600_000 })).toEqual([2, 1, 2, 2]);
  system.schedule(ref, "wait", { heedsAbort: false }, { afterMs: 1, everyMs: 1 });
  await clock.advance(5);
  expect(system.deadLetters.counts.full).toBe(3);
  await system.stop({ graceMs: 0 });
  expect(clock.pending).toBe(0);
});

test("waits() names who waits for whom, why and since when", async () => {
  const clock = new ManualClock(1_000);
  const system = new ActorSystem({ clock });
  const ref = await system.spawn(probeActor, {}, { id: "slow" });
  const asked = failure(ref.ask("gate", null, { deadlineMs: 500, by: "step 3", why: "verify 8 answers" }));
  const other = failure(ref.ask("gate", null, { deadlineMs: 900 }));
  await system.waiting.during({ by: "step 3", on: "a file", why: "it is slow", deadlineMs: 7 }, async () => {
    expect(system.waits()).toEqual([
      { by: "step 3", on: "a file", why: "it is slow", since: 1_000, deadlineAt: 1_007 },
      { by: "step 3", on: "slow", why: "verify 8 answers", since: 1_000, deadlineAt: 1_500 },
      { by: "the driver", on: "slow", why: 'the answer to "gate"', since: 1_000, deadlineAt: 1_900 },
    ]);
  });
  await system.stop({ graceMs: 0 });
  await Promise.all([asked, other]);
  expect(system.waits()).toEqual([]);
});

test("an inline actor's turns do not pile up when whoever asks never lets the thread's own turns go by", async () => {
  const system = new ActorSystem();
  const ref = await system.spawn(probeActor, {});
  for (let burst = 0; burst < 50; burst += 1) {
    for (let n = 0; n < 8; n += 1) ref.tell("echo", n);
    expect(await ref.ask("echo", burst, { deadlineMs: 600_000 })).toBe(burst);
  }
  const immediates = process.getActiveResourcesInfo().filter((name) => name === "Immediate");
  expect(immediates.length).toBeLessThanOrEqual(1);
  await system.stop();
});

test("spawn() refuses a place that there is not, and ask() says what its handler threw", async () => {
  const system = new ActorSystem();
  // What JavaScript may hand over, where no compiler looks.
  const placement = { at: "moon" } as unknown as Placement;
  expect(await failure(system.spawn(probeActor, {}, { placement }))).toMatchObject({
    code: "PLACEMENT_UNKNOWN",
    message: expect.stringContaining('at "moon": inline, thread, process or remote is wanted'),
  });
  const ref = await system.spawn(probeActor, {});
  expect(await failure(ref.ask("throw", null, { deadlineMs: 60_000 }))).toMatchObject({
    code: "HANDLER_FAILED",
    message: expect.stringMatching(/failed on it: RangeError: thrown at once$/),
  });
  await system.stop();
});
