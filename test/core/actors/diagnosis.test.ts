import { expect, test } from "vitest";
import type { ActorStatus, Wait } from "../../../core/src/actors/actor-status.js";
import { diagnose } from "../../../core/src/actors/diagnosis.js";
import type { SystemReport } from "../../../core/src/actors/system-report.js";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import { Watchdog } from "../../../core/src/actors/watchdog.js";
import { failure } from "../../contracts/actor-placement.js";
import { probeActor } from "../../support/actors/probe-actor.js";
import { ManualClock, settle } from "../../support/manual-clock.js";

const wait = (by: string, on: string, since: number): Wait => ({ by, on, why: "because", since });

const actor = (address: string, changes: Partial<ActorStatus> = {}): ActorStatus => ({
  address,
  placement: "thread",
  state: "running",
  incarnation: 1,
  restarts: 0,
  mailbox: { depth: 0, capacity: 4 },
  ...changes,
});

const report = (changes: Partial<SystemReport>): SystemReport => ({
  at: 60_000,
  actors: [],
  waits: [],
  deadLetters: { gone: 0, lost: 0, late: 0, failed: 0, full: 0 },
  ends: [],
  ...changes,
});

test("diagnose() follows the oldest wait to the actor that waits for nobody", () => {
  const busy = actor("verify-2", { current: { type: "verify", since: 18_000 }, mailbox: { depth: 3, capacity: 4 } });
  const waits = [wait("step 3", "rollout-1", 20_000), wait("rollout-1", "verify-2", 30_000), wait("x", "y", 40_000)];
  expect(diagnose(report({ actors: [busy], waits }))).toEqual({
    culprit: "verify-2",
    text: 'verify-2 has worked on "verify" for 42.0 s; 2 messages wait behind it',
    chain: waits.slice(0, 2),
    heldMs: 40_000,
  });
});

test.each([
  [actor("a", { state: "restarting", restarts: 1 }), 'a restarts for the second time after its end "exit" (SIGSEGV)'],
  [actor("a", { state: "starting" }), "a has not started yet"],
  [actor("a", { mailbox: { depth: 2, capacity: 4 } }), "a has 2 messages and works on none of them"],
  [undefined, 'a ended 1.0 s ago as "exit" (SIGSEGV)'],
])("diagnose() says what an actor does (%#)", (one, text) => {
  const end = { at: 59_000, address: "a", incarnation: 1, reason: "exit", restarts: true, problem: "SIGSEGV" } as const;
  const found = diagnose(report({ actors: one ? [one] : [], waits: [wait("b", "a", 1)], ends: [end] }));
  expect(found.text).toBe(text);
});

test("diagnose() names a circle, and ends when nobody waits", () => {
  const circle = [wait("a", "b", 1), wait("b", "c", 2), wait("c", "a", 3)];
  expect(diagnose(report({ waits: circle }))).toMatchObject({
    culprit: "a",
    text: "they wait for each other: b → c → a",
    chain: circle,
  });
  expect(diagnose(report({}))).toEqual({ text: expect.stringContaining("driver"), chain: [], heldMs: 0 });
});

test("Watchdog names the actor that holds a wait up for half of its time, once, and reports every second", async () => {
  const clock = new ManualClock(1_000);
  const system = new ActorSystem({ clock });
  const ref = await system.spawn(probeActor, {}, { id: "slow" });
  const held: string[] = [];
  const reports: SystemReport[] = [];
  const watchdog = new Watchdog(system, clock, {
    report: (one) => reports.push(one),
    held: (culprit, text) => held.push(`${culprit}: ${text}`),
  });
  const stuck = failure(ref.ask("gate", null, { deadlineMs: 10_000, by: "step 3" }));
  await settle();
  await clock.advance(5_000);
  expect(held).toEqual([]);
  await clock.advance(3_000);
  expect(held).toEqual(['slow: slow has worked on "gate" for 6.0 s; step 3 gives up in 4.0 s']);
  expect(reports.map(({ at }) => at)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((s) => 1_000 * s));
  await system.stop({ graceMs: 0 });
  expect((await stuck).code).toBe("ACTOR_DOWN");
  expect(watchdog.report()).toMatchObject({ ends: [{ address: "slow", reason: "killed" }], actors: [], waits: [] });
  watchdog.end();
  expect(clock.pending).toBe(0);
});
