import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ActorDefinition } from "../../../core/src/actors/actor.js";
import type { ActorRef, Down } from "../../../core/src/actors/actor-ref.js";
import { ActorSystem, type SpawnOptions } from "../../../core/src/actors/actor-system.js";
import { failure, result, until } from "../../contracts/actor-placement.js";
import { faultyActor, type FaultyProtocol } from "../../support/actors/faulty-actor.js";
import { probeActor } from "../../support/actors/probe-actor.js";
import { compiled } from "../../support/compiled-actor.js";
import { ManualClock } from "../../support/manual-clock.js";
import { runScript } from "../../support/run-script.js";

const PATIENCE = { deadlineMs: 600_000 };
const SUPERVISION = { restart: "permanent", maxRestarts: 1, withinMs: 600_000, backoffMs: [1, 1] } as const;
const THREAD = { placement: { at: "thread" } } as const;

describe("an actor's thread", () => {
  let system: ActorSystem;
  beforeEach(() => void (system = new ActorSystem()));
  afterEach(() => system.stop({ graceMs: 0 }));

  const spawn = (options: SpawnOptions = {}): Promise<ActorRef<FaultyProtocol>> =>
    system.spawn(compiled(faultyActor), null, { ...THREAD, supervision: SUPERVISION, ...options });

  /** Asks for a fault, and gives the ask's failure, the end that follows, and the next life's first answer. */
  async function afterFault(
    ask: (ref: ActorRef<FaultyProtocol>) => Promise<unknown>,
  ): Promise<{ error: Error; down: Down; next: number }> {
    const ref = await spawn();
    const down = new Promise<Down>((resolve) => ref.watch(resolve));
    const error = await failure(ask(ref));
    return { error, down: await down, next: await ref.ask("alive", null, PATIENCE) };
  }

  for (const code of [0, 3]) {
    test(`ending itself with code ${code} is a death with an unknown outcome, and a restart follows`, async () => {
      const { error, down, next } = await afterFault((ref) => ref.ask("exit", code, PATIENCE));
      expect(error).toMatchObject({ code: "ACTOR_DOWN", details: { outcome: "unknown", reason: "exit" } });
      expect(down).toMatchObject({ reason: "exit", exitCode: code, restarts: true, incarnation: 1 });
      expect(next).toBe(1);
    });
  }

  test("a rejection that nobody awaits kills it and is reported", async () => {
    const { error, down } = await afterFault((ref) => ref.ask("detachedRejection", null, PATIENCE));
    expect(error).toMatchObject({ code: "ACTOR_DOWN", cause: { name: "RangeError", message: "nobody awaits this" } });
    expect(down).toMatchObject({ reason: "error", error: { message: "nobody awaits this" } });
  });

  test("a stack overflow fails its ask, and the actor lives on", async () => {
    const ref = await spawn();
    await ref.ask("alive", null, PATIENCE);
    const error = await failure(ref.ask("overflowStack", null, PATIENCE));
    expect(error).toMatchObject({ code: "HANDLER_FAILED", cause: { name: "RangeError" } });
    expect(await ref.ask("alive", null, PATIENCE)).toBe(2);
  });

  test("an endless loop settles by the deadline, shows in the tree, and stop() ends it", async () => {
    const clock = new ManualClock();
    system = new ActorSystem({ clock });
    const ref = await spawn();
    const behind = result(ref.ask("alive", null, PATIENCE));
    const stuck = failure(ref.ask("loopForever", null, { deadlineMs: 300 }));
    // Cancelled before it begins, it never would.
    await until(() => system.list()[0]?.current?.type === "loopForever");
    await clock.advance(300);
    expect(await stuck).toMatchObject({ code: "ASK_DEADLINE", details: { outcome: "unknown" } });
    expect(system.list()[0]?.current).toMatchObject({ type: "loopForever" });
    const queued = result(ref.ask("alive", null, PATIENCE));
    const stopped = ref.stop({ graceMs: 10 });
    await clock.advance(10);
    await stopped;
    expect(await behind).toEqual({ value: 1 });
    expect(await queued).toMatchObject({
      error: { code: "ACTOR_DOWN", details: { outcome: "not-run", reason: "killed" } },
    });
  });

  test("what it said before its end arrives before its end is heard of", async () => {
    const ref = await spawn();
    const heard: unknown[] = [];
    ref.watch(({ reason, exitCode }) => heard.push(`${reason} ${exitCode}`));
    heard.push(await ref.ask("answerAndExit", 5, PATIENCE));
    await until(() => heard.length === 2);
    expect(heard).toEqual([5, "exit 3"]);
  });

  test("a reply that cannot be cloned fails its ask, and the actor lives on", async () => {
    const ref = await spawn();
    const error = await failure(ref.ask("replyWithFunction", null, PATIENCE));
    expect(error).toMatchObject({
      code: "HANDLER_FAILED",
      details: { outcome: "failed" },
      cause: { code: "REPLY_NOT_CLONEABLE" },
    });
    const detached = await failure(ref.ask("replyWithDetached", null, PATIENCE));
    expect(detached).toMatchObject({ cause: { code: "REPLY_NOT_CLONEABLE", cause: { code: "BUFFER_DETACHED" } } });
    expect(await ref.ask("alive", null, PATIENCE)).toBe(1);
  });

  test("an error with a function among its fields, a DOMException and a thrown text arrive readable", async () => {
    const ref = await spawn();
    expect((await failure(ref.ask("errorWithFunction", null, PATIENCE))).cause).toMatchObject({
      message: "has a method",
      code: "ODD",
    });
    expect((await failure(ref.ask("domException", null, PATIENCE))).cause).toMatchObject({
      name: "AbortError",
      message: "given up",
    });
    expect((await failure(ref.ask("throwText", null, PATIENCE))).cause).toMatchObject({ message: "just text" });
  });

  test("a message that cannot be cloned is refused at once and takes no place", async () => {
    const ref = await system.spawn(compiled(probeActor), {}, { ...THREAD, mailbox: { capacity: 1 } });
    const error = await failure(ref.ask("echo", { call: () => 1 }, PATIENCE));
    expect(error).toMatchObject({
      code: "MESSAGE_NOT_CLONEABLE",
      details: { outcome: "not-run" },
      cause: { name: "DataCloneError" },
    });
    expect(() => ref.tell("echo", Symbol("s"))).toThrow(expect.objectContaining({ code: "MESSAGE_NOT_CLONEABLE" }));
    expect(await ref.ask("echo", 1, PATIENCE)).toBe(1);
  });

  test("transferred buffers move, and are refused when they are sent again", async () => {
    const ref = await system.spawn(compiled(probeActor), {}, THREAD);
    const bytes = new Uint8Array([1, 2, 3]);
    expect(await ref.ask("echo", bytes, { ...PATIENCE, transfer: [bytes.buffer] })).toEqual(new Uint8Array([1, 2, 3]));
    expect(bytes.byteLength).toBe(0);
    const error = await failure(ref.ask("echo", bytes, PATIENCE));
    expect(error).toMatchObject({ code: "BUFFER_DETACHED", details: { outcome: "not-run" } });
    expect((await failure(ref.ask("echo", 1, { ...PATIENCE, transfer: [bytes.buffer] }))).code).toBe("BUFFER_DETACHED");
  });

  test("a message that waits for a restart is sent as it was when it was accepted", async () => {
    const supervision = { ...SUPERVISION, maxRestarts: 2, backoffMs: [50, 50] } as const;
    const ref = await system.spawn(compiled(probeActor), {}, { ...THREAD, supervision });
    const restarted = new Promise((resolve) => system.events.once("restart", resolve));
    ref.tell("throw", null);
    await restarted;
    // Only the second restart waits.
    const down = new Promise((resolve) => ref.watch(resolve));
    ref.tell("throw", null);
    await down;
    const list = [1];
    const asked = ref.ask("echo", list, PATIENCE);
    list.push(2);
    expect((await failure(ref.ask("echo", () => 1, PATIENCE))).code).toBe("MESSAGE_NOT_CLONEABLE");
    expect(await asked).toEqual([1]);
  });

  const broken = (source: string): ActorDefinition<FaultyProtocol, { asked: number }, null> => ({
    ...faultyActor,
    module: `data:text/javascript,${encodeURIComponent(source)}`,
  });

  test("a module that does not parse, is missing, or lacks the definition fails the start with the cause", async () => {
    for (const [definition, cause] of [
      [broken("export const faultyActor = ("), { name: "SyntaxError" }],
      [broken("throw new RangeError('top level')"), { message: "top level" }],
      [broken("export const other = 1"), { code: "ACTOR_DEFINITION_NOT_FOUND" }],
      [{ ...faultyActor, module: "file:///nowhere/actor.js" }, { code: "ERR_MODULE_NOT_FOUND" }],
    ] as const) {
      expect(await failure(system.spawn(definition, null, THREAD))).toMatchObject({ code: "ACTOR_NOT_STARTED", cause });
    }
  });

  test("a module that never gets ready is ended at the start deadline, and one that exits at once is heard of", async () => {
    const never = await failure(system.spawn(broken("for (;;);"), null, { ...THREAD, startDeadlineMs: 300 }));
    expect(never).toMatchObject({ code: "ACTOR_NOT_STARTED", message: expect.stringContaining("300 ms") });
    const exits = await failure(system.spawn(compiled(probeActor), { startFault: "exit" }, THREAD));
    expect(exits).toMatchObject({ code: "ACTOR_NOT_STARTED", message: expect.stringContaining("exit code 4") });
  });

  test("arguments that cannot be cloned fail the start", async () => {
    const memory = (() => 1) as unknown as SharedArrayBuffer; // Wrong on purpose.
    const error = await failure(system.spawn(compiled(probeActor), { memory }, THREAD));
    expect(error).toMatchObject({ code: "ACTOR_NOT_STARTED", cause: { name: "DataCloneError" } });
  });
});

describe("a process with actors", () => {
  const imports = `
    import { ActorSystem } from "CORE/actors/index.js";
    import { faultyActor } from "SUPPORT/actors/faulty-actor.js";
    import { probeActor } from "SUPPORT/actors/probe-actor.js";`;

  test("survives a thread that runs out of memory, and hears of it", async () => {
    const end = await runScript(`${imports}
      const system = new ActorSystem();
      const ref = await system.spawn(faultyActor, null, { placement: { at: "thread", maxOldGenerationMb: 32 } });
      ref.watch((down) => console.log("down", down.reason, down.error?.code));
      await ref.ask("outOfMemory", null, { deadlineMs: 600000 }).catch((error) => console.log(error.code, error.details.outcome));
      console.log("alive", await ref.ask("alive", null, { deadlineMs: 600000 }));
      await system.stop();`);
    expect(end).toMatchObject({ exitCode: 0 });
    expect(end.stdout.split("\n").toSorted()).toEqual(
      [
        "",
        "ACTOR_DOWN unknown",
        "alive 1",
        "down out-of-memory ERR_WORKER_OUT_OF_MEMORY",
        "down stopped undefined",
      ].toSorted(),
    );
  });

  test("ends by itself when its system is stopped, whatever its actors were doing (G7)", async () => {
    const end = await runScript(`${imports}
      const system = new ActorSystem();
      const refs = [];
      for (const at of ["inline", "thread"]) for (let n = 0; n < 3; n += 1) refs.push(await system.spawn(probeActor, {}, { placement: { at } }));
      const asks = refs.map((ref, n) => ref.ask(n % 2 ? "wait" : "markSlowly", { heedsAbort: false }, { deadlineMs: 600000 }).catch(() => {}));
      const loop = await system.spawn(faultyActor, null, { placement: { at: "thread" } });
      loop.tell("loopForever", null);
      await system.stop({ graceMs: 50 });
      await Promise.all(asks);
      setImmediate(() => console.log(process.getActiveResourcesInfo().filter((name) => !/Wrap$/.test(name)).join()));`);
    expect(end).toMatchObject({ exitCode: 0, stdout: "\n", stderr: "" });
  });

  for (const at of ["inline", "thread"]) {
    test(`stays alive as long as an actor placed "${at}" lives`, async () => {
      const end = await runScript(`${imports}
        const system = new ActorSystem();
        await system.spawn(probeActor, {}, { placement: { at: "${at}" } });
        setTimeout(() => { console.log("still here"); system.stop(); }, 300).unref();`);
      expect(end).toMatchObject({ exitCode: 0, stdout: "still here\n" });
    });
  }

  test("ends with an uncaught exception when a listener throws, after the others have heard", async () => {
    const end = await runScript(`${imports}
      const system = new ActorSystem();
      const ref = await system.spawn(probeActor, {});
      ref.watch(() => { throw new Error("a listener's own fault"); });
      ref.watch(() => console.log("heard"));
      await ref.stop();`);
    expect(end).toMatchObject({
      exitCode: 1,
      stdout: "heard\n",
      stderr: expect.stringContaining("a listener's own fault"),
    });
  });
});
