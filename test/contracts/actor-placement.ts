import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ActorRef, Down } from "../../core/src/actors/actor-ref.js";
import { ActorSystem, type SpawnOptions } from "../../core/src/actors/actor-system.js";
import type { Placement } from "../../core/src/actors/transport.js";
import { TroupeError } from "../../core/src/error-catalogue.js";
import { probeActor, type ProbeArgs, type ProbeProtocol } from "../support/actors/probe-actor.js";
import { cellsInFile, ProbeMemory, type SharedCells } from "../support/actors/probe-memory.js";
import { compiled } from "../support/compiled-actor.js";
import { heldBytes } from "../support/held-bytes.js";
import { ManualClock, settle } from "../support/manual-clock.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** What an ask came to: its value, or how it failed. */
type Result = { readonly value: unknown } | { readonly error: TroupeError };

const PATIENCE = { deadlineMs: 600_000 };
const RESTARTS = { restart: "permanent", maxRestarts: 3, withinMs: 600_000, backoffMs: [1, 1] } as const;
const NO_RESTART = { restart: "temporary", maxRestarts: 0, withinMs: 1, backoffMs: [1, 1] } as const;

/** What every placement of an actor promises (G1, G3 to G7 and G9 of the actor guarantees, and supervision). */
export function describeActorPlacement(name: string, placementNow: () => Placement): void {
  describe(`an actor placed "${name}"`, () => {
    let system: ActorSystem;
    let held: readonly string[];
    let placement: Placement;
    const folder = temporaryFolder();
    let files = 0;

    beforeEach(() => {
      placement = placementNow();
      held = heldResources();
      system = new ActorSystem();
    });

    /** Counters that the test and the actor share. */
    const shared = (length: number): SharedCells =>
      placement.at === "inline" || placement.at === "thread"
        ? new SharedArrayBuffer(4 * length)
        : cellsInFile(join(folder, `cells-${files++}`), length);

    afterEach(async () => {
      await system.stop({ graceMs: 0 });
      expect(system.list()).toEqual([]);
      await until(() => addedTo(held, heldResources()).length === 0);
    });

    const spawn = (args: ProbeArgs = {}, options: SpawnOptions = {}): Promise<ActorRef<ProbeProtocol>> =>
      system.spawn(compiled(probeActor), args, { placement, ...options });

    /** Resolves when the actor says `event`. */
    const hears = (event: string): Promise<unknown> =>
      new Promise((resolve) => {
        const listen = (said: { event: string; data: unknown }): void => {
          if (said.event !== event) return;
          system.events.off("actor-event", listen);
          resolve(said.data);
        };
        system.events.on("actor-event", listen);
      });

    const nextDown = (ref: ActorRef<ProbeProtocol>): Promise<Down> =>
      new Promise((resolve) => {
        const stop = ref.watch((down) => {
          stop();
          resolve(down);
        });
      });

    /** Has it restarted once, without a pause: what follows is the crash after which it waits. */
    const crashOnce = async (ref: ActorRef<ProbeProtocol>): Promise<void> => {
      const restarted = new Promise((resolve) => system.events.once("restart", resolve));
      ref.tell("throw", null);
      await restarted;
    };

    test("ask() answers with what the handler returns when it succeeds", async () => {
      const ref = await spawn();
      const message = { id: 7, text: "ünï", list: [1, null, true], bytes: new Uint8Array([1, 2]) };
      expect(await ref.ask("echo", message, PATIENCE)).toEqual(message);
      expect(await ref.ask("markSlowly", 4, PATIENCE)).toBe(4);
    });

    test("messages of one sender start in their order when tells and asks are mixed (G1)", async () => {
      const ref = await spawn();
      let next = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom("tell", "ask", "slow", "turn"), { maxLength: 60 }), async (acts) => {
          const first = next;
          const asked: Promise<unknown>[] = [];
          for (const act of acts) {
            if (act === "turn") await settle();
            else if (act === "tell") expect(ref.tell("mark", next++)).toBe("accepted");
            else asked.push(ref.ask(act === "ask" ? "mark" : "markSlowly", next++, PATIENCE));
          }
          await Promise.all(asked);
          const marked = await ref.ask("marked", null, PATIENCE);
          expect(marked.slice(first)).toEqual(Array.from({ length: next - first }, (_, index) => first + index));
        }),
        { numRuns: 20 },
      );
    });

    test("every ask settles with an honest outcome when the actor is killed at any point (G2, G3)", async () => {
      const outcomes = new Set<string>();
      for (let turns = 0; turns < 12; turns += 1) {
        const memory = shared(66);
        const ref = await spawn({ memory });
        const asks = Array.from({ length: 64 }, (_, n) => result(ref.ask(n % 2 ? "mark" : "markSlowly", n, PATIENCE)));
        for (let turn = 0; turn < turns; turn += 1) await settle();
        await ref.stop({ graceMs: 0 });
        const results = await Promise.all(asks);
        const runs = new ProbeMemory(memory).read();
        for (const [n, one] of results.entries()) {
          const ran = runs[n + 2];
          expect(ran).toBeLessThanOrEqual(1);
          if ("value" in one) expect(ran).toBe(1);
          else {
            expect(one.error.code).toBe("ACTOR_DOWN");
            outcomes.add(String(one.error.details["outcome"]));
            if (one.error.details["outcome"] === "not-run") expect(ran).toBe(0);
          }
        }
      }
      expect(outcomes).toContain("not-run");
    });

    test("handlers run one at a time when no type interleaves (G4)", async () => {
      const ref = await spawn();
      await Promise.all(Array.from({ length: 20 }, (_, n) => ref.ask("markSlowly", n, PATIENCE)));
      expect(await ref.ask("overlap", null, PATIENCE)).toBe(1);
    });

    test("handlers of an interleaving type run beside each other, the others alone (G4)", async () => {
      const ref = await spawn();
      await Promise.all(Array.from({ length: 20 }, (_, n) => ref.ask("beside", n, PATIENCE)));
      expect(await ref.ask("overlap", null, PATIENCE)).toBeGreaterThan(1);

      const gated = hears("waiting");
      const through: string[] = [];
      const gate = ref.ask("gate", null, PATIENCE).then(() => through.push("gate"));
      await gated;
      await ref.ask("open", null, PATIENCE);
      const alone = ref.ask("mark", 1, PATIENCE).then(() => through.push("mark"));
      await Promise.all([gate, alone]);
      expect(through).toEqual(["gate", "mark"]);
    });

    test("a mailbox takes its capacity and no more, and the sender is told (G5)", async () => {
      const ref = await spawn({}, { mailbox: { capacity: 3 } });
      const waiting = hears("waiting");
      const gate = ref.ask("gate", null, PATIENCE);
      await waiting;
      expect(ref.tell("mark", 1)).toBe("accepted");
      expect(ref.tell("mark", 2)).toBe("accepted");
      expect(ref.tell("mark", 3)).toBe("full");
      const refused = await failure(ref.ask("open", null, PATIENCE));
      expect(refused.code).toBe("MAILBOX_FULL");
      expect(refused.details).toMatchObject({ outcome: "not-run", capacity: 3 });
      expect(system.list()[0]).toMatchObject({ mailbox: { depth: 3, capacity: 3 } });
      // Another node says so with its next beat.
      await until(() => system.list()[0]?.current?.type === "gate");
      await ref.stop({ graceMs: 0 });
      expect((await failure(gate)).details["outcome"]).toBe("unknown");
    });

    test("memory stays bounded when a million messages are told to a stuck actor (G5)", async () => {
      const ref = await spawn({}, { mailbox: { capacity: 256 } });
      const waiting = hears("waiting");
      ref.tell("wait", { heedsAbort: false });
      await waiting;
      const before = heldBytes();
      let accepted = 0;
      for (let n = 0; n < 1_000_000; n += 1)
        if (ref.tell("echo", { n, text: "some text" }) === "accepted") accepted += 1;
      expect(accepted).toBe(255);
      // A million messages would be more than 50 MB.
      expect(heldBytes() - before).toBeLessThan(10e6);
    });

    test("places in the mailbox come back when told messages are handled (G5)", async () => {
      const ref = await spawn({}, { mailbox: { capacity: 4 } });
      let sent = 0;
      while (sent < 500) {
        if (ref.tell("mark", sent) === "accepted") sent += 1;
        else await settle();
      }
      await until(() => system.list()[0]?.mailbox.depth === 0);
      expect(await ref.ask("marked", null, PATIENCE)).toHaveLength(500);
    });

    test("offer() waits for a place, and senders are let in by turns (G5)", async () => {
      const ref = await spawn({}, { mailbox: { capacity: 2 } });
      const waiting = hears("waiting");
      const gate = new AbortController();
      const stuck = failure(ref.ask("wait", { heedsAbort: true }, { ...PATIENCE, signal: gate.signal }));
      await waiting;
      await ref.offer("mark", 0, PATIENCE);
      const offers = [1, 2, 3].map((n) => ref.offer("mark", n, PATIENCE));
      const hasty = failure(ref.offer("mark", 4, { deadlineMs: 20 }));
      const controller = new AbortController();
      const aborted = failure(ref.offer("mark", 5, { ...PATIENCE, signal: controller.signal }));
      controller.abort();
      expect(ref.tell("mark", 6)).toBe("full");
      expect(await hasty).toMatchObject({ code: "MAILBOX_FULL", details: { outcome: "not-run" } });
      expect(await aborted).toMatchObject({ code: "ASK_ABORTED", details: { outcome: "not-run" } });
      gate.abort();
      await stuck;
      await Promise.all(offers);
      await ref.offer("mark", 7, PATIENCE);
      await until(() => system.list()[0]?.mailbox.depth === 0);
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([0, 1, 2, 3, 7]);
      const blocked = hears("waiting");
      ref.tell("wait", { heedsAbort: false });
      await blocked;
      ref.tell("mark", 8);
      const left = failure(ref.offer("mark", 9, PATIENCE));
      await ref.stop({ graceMs: 0 });
      expect(await left).toMatchObject({ code: "ACTOR_GONE", details: { outcome: "not-run" } });
    });

    test("an urgent message is handled before all that wait, and accepted when the mailbox is full (G9)", async () => {
      const memory = shared(16);
      const ref = await spawn({ memory }, { mailbox: { capacity: 4 } });
      const waiting = hears("waiting");
      const gate = new AbortController();
      const stuck = failure(ref.ask("wait", { heedsAbort: true }, { ...PATIENCE, signal: gate.signal }));
      await waiting;
      const queued = [1, 2, 3].map((n) => ref.ask("mark", n, PATIENCE));
      expect(ref.tell("mark", 4)).toBe("full");
      const cancelled = new AbortController();
      const never = failure(ref.ask("markUrgently", 5, { ...PATIENCE, signal: cancelled.signal }));
      const urgent = [6, 7].map((n) => ref.ask("markUrgently", n, PATIENCE));
      cancelled.abort();
      gate.abort();
      await Promise.all([stuck, never, ...queued, ...urgent]);
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([6, 7, 1, 2, 3]);
      ref.tell("markUrgently", 8);
      await ref.stop();
      expect(new ProbeMemory(memory).read()[10]).toBe(1);
    });

    test("a throw of a told message is a dead letter when its supervision resumes", async () => {
      const ref = await spawn({}, { supervision: { ...RESTARTS, onThrow: "resume" } });
      ref.tell("mark", 1);
      const letter = new Promise((resolve) => system.events.once("dead-letter", resolve));
      ref.tell("throw", null);
      expect(await letter).toMatchObject({
        type: "throw",
        reason: "failed",
        outcome: "failed",
        error: { code: "PROBE" },
      });
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([1]);
      expect(system.list()[0]).toMatchObject({ incarnation: 1, mailbox: { depth: 0 } });
    });

    test("each watcher hears of each incarnation's end once, after its last message (G6)", async () => {
      const ref = await spawn({}, { supervision: RESTARTS });
      const heard: string[] = [];
      const note = (name: string) => (down: Down) => heard.push(`${name}:${down.incarnation}:${down.reason}`);
      ref.watch(note("a"));
      ref.watch(note("b"));
      ref.watch(note("gone"))();
      const answered = ref.ask("mark", 1, PATIENCE).then(() => heard.push("answer"));
      ref.tell("throw", null);
      await answered;
      await ref.ask("echo", null, PATIENCE).catch(() => {});
      await ref.ask("echo", "alive again", PATIENCE);
      await ref.stop();
      await new Promise<void>((resolve) => {
        ref.watch((down) => {
          note("late")(down);
          resolve();
        });
      });
      await settle();
      expect(heard).toEqual(["answer", "a:1:error", "b:1:error", "a:2:stopped", "b:2:stopped", "late:2:stopped"]);
    });

    test("watch() hears of every end once when restarts race with watching (G6)", async () => {
      const ref = await spawn({}, { supervision: { ...RESTARTS, maxRestarts: 5 } });
      const ends = new Map<number, number>();
      let watches = 0;
      for (let crash = 0; crash < 5; crash += 1) {
        const counted = new Set<number>();
        watches += 1;
        ref.watch(({ incarnation }) => {
          expect(counted.has(incarnation)).toBe(false);
          counted.add(incarnation);
          ends.set(incarnation, (ends.get(incarnation) ?? 0) + 1);
        });
        const down = nextDown(ref);
        ref.tell("throw", null);
        await down;
      }
      await ref.ask("echo", 1, PATIENCE);
      await ref.stop();
      expect([...ends]).toEqual([1, 2, 3, 4, 5, 6].map((incarnation) => [incarnation, Math.min(incarnation, watches)]));
    });

    test("stop() cuts off when the actor is stuck and its mailbox full (G9)", async () => {
      const memory = shared(16);
      const ref = await spawn({ memory }, { mailbox: { capacity: 8 } });
      const waiting = hears("waiting");
      const stuck = result(ref.ask("wait", { heedsAbort: false }, PATIENCE));
      await waiting;
      const queued = Array.from({ length: 7 }, (_, n) => result(ref.ask("mark", n, PATIENCE)));
      await ref.stop({ graceMs: 20 });
      expect(await stuck).toMatchObject({
        error: { code: "ACTOR_DOWN", details: { outcome: "unknown", reason: "killed" } },
      });
      for (const one of queued) expect(await one).toMatchObject({ error: { details: { outcome: "not-run" } } });
      expect(
        new ProbeMemory(memory)
          .read()
          .slice(2)
          .every((runs) => runs === 0),
      ).toBe(true);
    });

    test("a cancelled ask aborts its handler's signal when the mailbox is full (G9)", async () => {
      const ref = await spawn({}, { mailbox: { capacity: 4 } });
      const waiting = hears("waiting");
      const aborted = hears("aborted");
      const controller = new AbortController();
      const asked = failure(ref.ask("wait", { heedsAbort: true }, { ...PATIENCE, signal: controller.signal }));
      await waiting;
      const queued = [1, 2, 3].map((n) => ref.ask("mark", n, PATIENCE));
      expect(ref.tell("mark", 4)).toBe("full");
      controller.abort(new Error("changed my mind"));
      expect(await asked).toMatchObject({
        code: "ASK_ABORTED",
        details: { outcome: "unknown" },
        cause: { message: "changed my mind" },
      });
      await aborted;
      expect(await Promise.all(queued)).toEqual([1, 2, 3]);
    });

    test("a message cancelled in the mailbox never runs (G9)", async () => {
      const ref = await spawn();
      const waiting = hears("waiting");
      const gate = new AbortController();
      const stuck = failure(ref.ask("wait", { heedsAbort: true }, { ...PATIENCE, signal: gate.signal }));
      await waiting;
      const controller = new AbortController();
      const cancelled = failure(ref.ask("mark", 1, { ...PATIENCE, signal: controller.signal }));
      const kept = ref.ask("mark", 2, PATIENCE);
      controller.abort();
      gate.abort();
      expect((await cancelled).code).toBe("ASK_ABORTED");
      await stuck;
      await kept;
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([2]);
    });

    test("ask() fails as not run when its signal was aborted before", async () => {
      const ref = await spawn();
      const error = await failure(ref.ask("mark", 1, { ...PATIENCE, signal: AbortSignal.abort() }));
      expect(error).toMatchObject({ code: "ASK_ABORTED", details: { outcome: "not-run" } });
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([]);
    });

    test("ask() fails at its deadline when nobody answers, and its handler is aborted", async () => {
      const clock = new ManualClock();
      system = new ActorSystem({ clock });
      const ref = await spawn();
      const late = new Promise((resolve) => system.events.once("dead-letter", resolve));
      // Cancelled in the mailbox, it would never run.
      const waiting = hears("waiting");
      const asked = failure(ref.ask("wait", { heedsAbort: true }, { deadlineMs: 30 }));
      await waiting;
      await clock.advance(30);
      const error = await asked;
      expect(error).toMatchObject({
        code: "ASK_DEADLINE",
        details: { outcome: "unknown", type: "wait", deadlineMs: 30 },
      });
      expect(await late).toMatchObject({ type: "wait", reason: "late" });
      expect(await ref.ask("echo", 1, PATIENCE)).toBe(1);
    });

    test("ask() fails with what the handler threw when it throws, and the actor lives on", async () => {
      const ref = await spawn();
      await ref.ask("mark", 1, PATIENCE);
      const error = await failure(ref.ask("throw", null, PATIENCE));
      expect(error).toMatchObject({
        code: "HANDLER_FAILED",
        details: { outcome: "failed", type: "throw", address: ref.address },
      });
      expect(error.cause).toMatchObject({ name: "RangeError", message: "thrown at once", code: "PROBE", size: 3 });
      expect(error.cause).toMatchObject({ cause: { name: "TypeError", message: "the reason" } });
      expect(String((error.cause as Error).stack)).toContain("probe-actor"); // Matched just above.
      expect((await failure(ref.ask("throwLater", null, PATIENCE))).cause).toMatchObject({ message: "thrown later" });
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([1]);
    });

    test("a TroupeError arrives as one when a handler fails with it", async () => {
      const ref = await spawn();
      // @ts-expect-error: the protocol has no such message.
      const { cause } = await failure(ref.ask("nonsense", null, PATIENCE));
      expect(cause).toBeInstanceOf(TroupeError);
      expect(cause).toMatchObject({
        code: "MESSAGE_UNKNOWN",
        details: { type: "nonsense" },
        hint: expect.stringContaining("protocol"),
      });
    });

    test("a crash restarts the actor from init and leaves what was not run as not run", async () => {
      const memory = shared(16);
      const ref = await spawn({ memory }, { supervision: RESTARTS });
      await ref.ask("mark", 1, PATIENCE);
      const restarted = new Promise((resolve) => system.events.once("restart", resolve));
      const down = nextDown(ref);
      ref.tell("throwLater", null);
      const behind = await failure(ref.ask("mark", 2, PATIENCE));
      expect(behind).toMatchObject({
        code: "ACTOR_DOWN",
        details: { outcome: "not-run" },
        cause: { message: "thrown later" },
      });
      expect(await down).toMatchObject({
        incarnation: 1,
        reason: "error",
        restarts: true,
        error: { message: "thrown later" },
      });
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([]);
      expect(await restarted).toEqual({ address: ref.address, incarnation: 2 });
      expect(system.list()[0]).toMatchObject({ state: "running", restarts: 1, incarnation: 2 });
      expect(new ProbeMemory(memory).read().slice(0, 5)).toEqual([2, 1, 0, 1, 0]);
    });

    test("asks wait in the mailbox when the actor restarts, and no longer than their deadline", async () => {
      const ref = await spawn({}, { supervision: { ...RESTARTS, backoffMs: [400, 400] }, mailbox: { capacity: 3 } });
      await crashOnce(ref);
      const down = nextDown(ref);
      ref.tell("throw", null);
      await down;
      const hasty = failure(ref.ask("mark", 1, { deadlineMs: 20 }));
      const patient = ref.ask("mark", 2, PATIENCE);
      expect(ref.tell("mark", 3)).toBe("accepted");
      expect(ref.tell("mark", 4)).toBe("full");
      expect(await hasty).toMatchObject({ code: "ASK_DEADLINE", details: { outcome: "not-run", state: "restarting" } });
      expect(await patient).toBe(2);
      expect(await ref.ask("marked", null, PATIENCE)).toEqual([2, 3]);
    });

    test("the actor ends for good when it crashes more often than its supervision allows", async () => {
      const ref = await spawn(
        { memory: shared(2), failingStarts: [2, 3, 4] },
        { supervision: { ...RESTARTS, maxRestarts: 3 } },
      );
      const downs: Down[] = [];
      ref.watch((down) => downs.push(down));
      ref.tell("throw", null);
      const waiting = await failure(ref.ask("echo", 1, PATIENCE));
      expect(waiting.details["outcome"]).toBe("not-run");
      await until(() => downs.length === 4);
      expect(downs.map(({ reason, restarts }) => `${reason}:${restarts}`)).toEqual([
        "error:true",
        "not-started:true",
        "not-started:true",
        "not-started:false",
      ]);
      expect(ref.tell("mark", 1)).toBe("gone");
      const gone = await failure(ref.ask("mark", 1, PATIENCE));
      expect(gone).toMatchObject({
        code: "ACTOR_GONE",
        details: { outcome: "not-run" },
        cause: { message: "start 4 fails" },
      });
      expect(system.list()).toEqual([]);
    });

    test("a temporary actor ends at its first crash", async () => {
      const ref = await spawn({}, { supervision: NO_RESTART });
      const down = nextDown(ref);
      ref.tell("throw", null);
      expect(await down).toMatchObject({ restarts: false, incarnation: 1 });
      expect(ref.tell("mark", 1)).toBe("gone");
      expect(system.deadLetters.counts).toMatchObject({ gone: 1 });
    });

    test("spawn() rejects with the cause when init throws", async () => {
      const error = await failure(spawn({ startFault: "reject" }));
      expect(error).toMatchObject({
        code: "ACTOR_NOT_STARTED",
        cause: { name: "RangeError", message: "start 1 fails" },
      });
    });

    test("spawn() rejects when init is not through by the start deadline", async () => {
      const error = await failure(spawn({ startFault: "hang" }, { startDeadlineMs: 200 }));
      expect(error).toMatchObject({ code: "ACTOR_NOT_STARTED", message: expect.stringContaining("200 ms") });
    });

    test("spawn() rejects when the id is taken or the system stopped, and an ended actor's id is free", async () => {
      const ref = await spawn({}, { id: "only" });
      expect(ref.address).toBe("only");
      expect((await failure(spawn({}, { id: "only" }))).code).toBe("ACTOR_ID_TAKEN");
      await ref.stop();
      await spawn({}, { id: "only" });
      await system.stop();
      expect((await failure(spawn())).code).toBe("ACTOR_SYSTEM_STOPPED");
    });

    test("spawn() rejects when the system stops while the actor starts", async () => {
      const starting = failure(spawn({ startFault: "hang" }));
      await settle();
      await system.stop();
      expect((await starting).code).toBe("ACTOR_NOT_STARTED");
    });

    test("stop() finishes what was accepted, refuses what comes later, disposes once", async () => {
      const memory = shared(32);
      const ref = await spawn({ memory });
      const asks = Array.from({ length: 10 }, (_, n) => ref.ask("markSlowly", n, PATIENCE));
      const stopped = ref.stop({ graceMs: 600_000 });
      expect(ref.tell("mark", 20)).toBe("gone");
      const refused = await failure(ref.ask("mark", 21, PATIENCE));
      expect(refused).toMatchObject({ code: "ACTOR_GONE", details: { outcome: "not-run", state: "stopping" } });
      expect(await Promise.all(asks)).toHaveLength(10);
      await Promise.all([stopped, ref.stop()]);
      const cells = new ProbeMemory(memory).read();
      expect(cells.slice(0, 2)).toEqual([1, 1]);
      expect(cells[22]).toBe(0);
    });

    test("each ask either runs or is refused when stop() races with it", async () => {
      for (let turns = 0; turns < 6; turns += 1) {
        const ref = await spawn();
        const asks: Promise<Result>[] = [];
        const stopped = (async () => {
          for (let turn = 0; turn < turns; turn += 1) await settle();
          await ref.stop({ graceMs: 600_000 });
        })();
        for (let n = 0; n < 30; n += 1) {
          asks.push(result(ref.ask("mark", n, PATIENCE)));
          if (n % 5 === 0) await settle();
        }
        await stopped;
        for (const one of await Promise.all(asks)) if ("error" in one) expect(one.error.code).toBe("ACTOR_GONE");
      }
    });

    test("stop() ends an actor that waits for its restart", async () => {
      const ref = await spawn({}, { supervision: { ...RESTARTS, backoffMs: [600_000, 600_000] } });
      await crashOnce(ref);
      const down = nextDown(ref);
      ref.tell("throw", null);
      await down;
      const waiting = failure(ref.ask("echo", 1, PATIENCE));
      await ref.stop();
      expect(await waiting).toMatchObject({ code: "ACTOR_DOWN", details: { outcome: "not-run" } });
    });

    test("emit() reaches the system's listeners in order when a handler tells of something", async () => {
      const ref = await spawn({}, { id: "teller" });
      const said: unknown[] = [];
      system.events.on("actor-event", (event) => said.push(event));
      await ref.ask("emit", { n: 1 }, PATIENCE);
      await ref.ask("emit", "two", PATIENCE);
      expect(said).toEqual([
        { address: "teller", event: "told", data: { n: 1 } },
        { address: "teller", event: "told", data: "two" },
      ]);
    });

    test("ctx.transfer() gives the bytes when a reply moves them", async () => {
      const ref = await spawn();
      for (const moves of [true, false]) {
        expect(await ref.ask("bytes", { size: 1 << 16, moves }, PATIENCE)).toEqual(new Uint8Array(1 << 16).fill(7));
      }
    });
  });
}

/** Handles of threads and channels that keep a process alive; timers are left out, as the test runner has its own. */
export function heldResources(): readonly string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name === "MessagePort" || name === "Worker" || name === "Immediate");
}

/** What is held now and was not before. */
function addedTo(before: readonly string[], now: readonly string[]): readonly string[] {
  const known = [...before];
  return now.filter((name) => {
    const index = known.indexOf(name);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
}

/** Waits turn by turn; the runner's own limit ends a test whose condition never comes. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export async function result(asked: Promise<unknown>): Promise<Result> {
  return asked.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: asTroupeError(error) }),
  );
}

export async function failure(asked: Promise<unknown>): Promise<TroupeError> {
  const got = await result(asked);
  if ("value" in got) throw new Error(`expected a failure, got ${JSON.stringify(got.value)}`);
  return got.error;
}

function asTroupeError(error: unknown): TroupeError {
  if (!(error instanceof TroupeError)) throw error;
  return error;
}
