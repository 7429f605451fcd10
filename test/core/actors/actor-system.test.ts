import { expect, test } from "vitest";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import { failure, until } from "../../contracts/actor-placement.js";
import { probeActor } from "../../support/actors/probe-actor.js";
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

test("a crashed actor restarts when its pause is over, and not before", async () => {
  const clock = new ManualClock();
  const system = new ActorSystem({ clock });
  const supervision = { restart: "permanent", maxRestarts: 2, withinMs: 10_000, backoffMs: [100, 1_000] } as const;
  const ref = await system.spawn(probeActor, {}, { supervision });
  ref.tell("throw", null);
  await until(() => system.list()[0]?.state === "restarting");
  await clock.advance(99);
  expect(system.list()[0]).toMatchObject({ state: "restarting", incarnation: 1 });
  await clock.advance(1);
  expect(system.list()[0]).toMatchObject({ state: "running", incarnation: 2, restarts: 1 });
  ref.tell("throw", null);
  await until(() => system.list()[0]?.state === "restarting");
  await clock.advance(199);
  expect(system.list()[0]).toMatchObject({ state: "restarting", incarnation: 2 });
  await clock.advance(1);
  expect(system.list()[0]).toMatchObject({ state: "running", incarnation: 3 });
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
  const beside = failure(ref.ask("besideUntilAborted", null, { deadlineMs: 50_000 }));
  await waiting;
  ref.tell("throwBeside", null);
  expect(await beside).toMatchObject({ code: "ACTOR_DOWN", details: { outcome: "unknown" } });
  await until(() => disposals() === 1);
  await settle();
  expect([...new Int32Array(memory)]).toEqual([1, 1, 1]);
});
