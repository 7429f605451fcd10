import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ActorRef, Down } from "../../../core/src/actors/actor-ref.js";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import type { Placement } from "../../../core/src/actors/transport.js";
import { failure, result, until } from "../../contracts/actor-placement.js";
import { faultyActor, type FaultyProtocol } from "../../support/actors/faulty-actor.js";
import { compiled } from "../../support/compiled-actor.js";
import { isRunning } from "../../support/is-running.js";
import { ManualClock } from "../../support/manual-clock.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const PATIENCE = { deadlineMs: 600_000 };
const SUPERVISION = { restart: "permanent", maxRestarts: 1, withinMs: 600_000, backoffMs: [1, 1] } as const;

describe("an actor's process", () => {
  let system: ActorSystem;
  beforeEach(() => void (system = new ActorSystem()));
  afterEach(() => system.stop({ graceMs: 0 }));

  const start = (placement: Placement = { at: "process" }): Promise<ActorRef<FaultyProtocol>> =>
    system.spawn(compiled(faultyActor), null, { placement, supervision: SUPERVISION });

  const nextDown = (ref: ActorRef<FaultyProtocol>): Promise<Down> => new Promise((resolve) => ref.watch(resolve));

  test.each(["SIGSEGV", "SIGKILL"] as const)(
    "ended by %s is a death with that name, and a restart follows",
    async (signal) => {
      const ref = await start();
      const down = nextDown(ref);
      const behind = [ref.ask("killMyself", signal, PATIENCE), ref.ask("alive", null, PATIENCE)].map(result);
      expect(await down).toMatchObject({ reason: "exit", signal, restarts: true, error: { code: "PROCESS_KILLED" } });
      expect(await Promise.all(behind)).toMatchObject([
        { error: { code: "ACTOR_DOWN", details: { outcome: "unknown" } } },
        { error: { code: "ACTOR_DOWN", details: { outcome: "not-run" } } },
      ]);
      expect(await ref.ask("alive", null, PATIENCE)).toBe(1);
    },
  );

  test("ending itself with a code is heard of after all it said", async () => {
    const ref = await start();
    const heard: unknown[] = [];
    ref.watch(({ reason, exitCode }) => heard.push(`${reason} ${exitCode}`));
    heard.push(await ref.ask("answerAndExit", 5, PATIENCE));
    await until(() => heard.length === 2);
    expect(heard).toEqual([5, "exit 3"]);
  });

  test("that takes more memory than it may is ended and says so; the rest goes on", async () => {
    const ref = await start({ at: "process", maxMemoryMb: 300 });
    const down = nextDown(ref);
    const error = await failure(ref.ask("fillBuffers", null, PATIENCE));
    expect(error).toMatchObject({ code: "ACTOR_DOWN", details: { outcome: "unknown", reason: "out-of-memory" } });
    expect(await down).toMatchObject({ error: { code: "PROCESS_OUT_OF_MEMORY", details: { maxMemoryMb: 300 } } });
    expect(await ref.ask("alive", null, PATIENCE)).toBe(1);
  });

  test("stop() ends an endless loop, and its ask had failed at the deadline", async () => {
    const clock = new ManualClock();
    system = new ActorSystem({ clock });
    const ref = await start();
    const stuck = failure(ref.ask("loopForever", null, { deadlineMs: 300 }));
    // Cancelled before it begins, it never would.
    await until(() => system.list()[0]?.current?.type === "loopForever");
    await clock.advance(300);
    expect(await stuck).toMatchObject({ code: "ASK_DEADLINE", details: { outcome: "unknown" } });
    const queued = result(ref.ask("alive", null, PATIENCE));
    expect(system.list()[0]).toMatchObject({ placement: "process" });
    const stopped = ref.stop({ graceMs: 10 });
    await clock.advance(10);
    await stopped;
    expect(await queued).toMatchObject({ error: { code: "ACTOR_DOWN", details: { outcome: "not-run" } } });
  });

  test("a message with shared memory is refused at once", async () => {
    const ref = await start();
    const message = new SharedArrayBuffer(4) as unknown as null; // Wrong on purpose.
    expect(await failure(ref.ask("alive", message, PATIENCE))).toMatchObject({
      code: "MESSAGE_NOT_CLONEABLE",
      details: { outcome: "not-run" },
    });
  });
});

describe("processes of a process that is killed", () => {
  const folder = temporaryFolder();
  const built = new URL("../../../", import.meta.url).href;

  test("end too, also in an endless loop (G7)", async () => {
    const file = join(folder, "parent.mjs");
    writeFileSync(
      file,
      `import { ActorSystem } from "${built}core/dist/src/actors/index.js";
      import { faultyActor } from "${built}test/dist/support/actors/faulty-actor.js";
      const system = new ActorSystem();
      const refs = [1, 2].map(() => system.spawn(faultyActor, null, { placement: { at: "process" } }));
      const [busy, idle] = await Promise.all(refs);
      const pids = await Promise.all([busy, idle].map((ref) => ref.ask("processId", null, { deadlineMs: 600000 })));
      busy.tell("loopForever", null);
      console.log(pids.join(" "));`,
    );
    const parent = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    const said = new Promise<string>((resolve) => parent.stdout.once("data", (text) => resolve(String(text))));
    const children = (await said).trim().split(" ").map(Number);
    expect(children.map(isRunning)).toEqual([true, true]);
    parent.kill("SIGKILL");
    await until(() => !children.some(isRunning));
  });
});
