import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ActorSystem } from "../../../core/src/actors/actor-system.js";
import { connectRef, exposeRef } from "../../../core/src/actors/comlink-facade.js";
import { failure, heldResources, until } from "../../contracts/actor-placement.js";
import { probeActor, type ProbeProtocol } from "../../support/actors/probe-actor.js";

const PATIENCE = { deadlineMs: 600_000 };
let system: ActorSystem;
let held: readonly string[];

beforeEach(() => {
  held = heldResources();
  system = new ActorSystem();
});

afterEach(async () => {
  await system.stop({ graceMs: 0 });
  await until(() => heldResources().length <= held.length);
});

test("a remote ref asks, tells, and fails as the ref does", async () => {
  const ref = await system.spawn(probeActor, {});
  const remote = connectRef<ProbeProtocol>(exposeRef(ref));
  expect(remote.address).toBe(ref.address);
  expect(await remote.ask("echo", { some: [1, 2] }, PATIENCE)).toEqual({ some: [1, 2] });
  expect(await remote.tell("mark", 3, PATIENCE)).toBe("accepted");
  expect(await remote.ask("marked", null, PATIENCE)).toEqual([3]);
  const error = await failure(remote.ask("throw", null, PATIENCE));
  expect(error).toMatchObject({
    code: "HANDLER_FAILED",
    details: { outcome: "failed" },
    cause: { name: "RangeError", code: "PROBE" },
  });
  remote.close();
});

test("a remote ask fails at its deadline when nobody answers", async () => {
  const remote = connectRef<ProbeProtocol>(exposeRef(await system.spawn(probeActor, {})));
  expect(await failure(remote.ask("wait", { heedsAbort: true }, { deadlineMs: 30 }))).toMatchObject({
    code: "ASK_DEADLINE",
  });
  expect(await failure(remote.ask("echo", () => 1, PATIENCE))).toMatchObject({ code: "MESSAGE_NOT_CLONEABLE" });
  remote.close();
});

test("a remote ref fails at once when its actor ends or its port closes", async () => {
  const ref = await system.spawn(probeActor, {});
  const remote = connectRef<ProbeProtocol>(exposeRef(ref));
  const stuck = failure(remote.ask("wait", { heedsAbort: false }, PATIENCE));
  await until(() => system.list()[0]?.current !== undefined);
  await ref.stop({ graceMs: 0 });
  expect((await stuck).code).toBe("ACTOR_DOWN");
  await until(() => heldResources().length <= held.length);
  expect(await failure(remote.ask("echo", 1, PATIENCE))).toMatchObject({
    code: "ACTOR_GONE",
    details: { outcome: "not-run" },
  });
});

test("a remote ref works from another thread", async () => {
  const ref = await system.spawn(probeActor, {});
  const exposed = exposeRef(ref);
  const facade = new URL("../../../core/dist/src/actors/comlink-facade.js", import.meta.url).href;
  const source = `
    import { parentPort, workerData } from "node:worker_threads";
    import { connectRef } from "${facade}";
    const remote = connectRef(workerData);
    parentPort.postMessage(await remote.ask("echo", "from afar", { deadlineMs: 600000 }));
    remote.close();`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: exposed,
    transferList: [exposed.port],
  });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  expect(await new Promise((resolve) => worker.once("message", resolve))).toBe("from afar");
  expect(await ended).toBe(0);
});
