import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ActorSystem } from "../../../core/dist/src/actors/actor-system.js";
import { loadEnvironment } from "../../../core/dist/src/environments/environment-loader.js";
import { loadPlugin } from "../../../core/dist/src/hooks/plugin-loader.js";
import { VerifierPool } from "../../../core/dist/src/verify/verifier-pool.js";
import type { VerifyOrder } from "../../../core/src/verify/verify-actor.js";
import type { JsonObject } from "../../../core/src/records/json.js";
import { makeTrajectory, PLAN } from "../../plugins/hook-contexts.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";
import { UNRULY } from "../../support/unruly.js";
import { writePlugin } from "../../support/write-plugin.js";

const folder = temporaryFolder();
const tokenizerDirectory = writeTinyPolicy(folder);
/** What a hang costs: long beside an answer, also on a busy machine. */
const DEADLINE_MS = 3000;
/** Where nothing hangs. */
const PATIENCE_MS = 600_000;

const MAY_HANG = new Set<unknown>(["hang", "mixed"]);

let system: ActorSystem;
beforeEach(() => void (system = new ActorSystem()));
afterEach(() => system.stop({ graceMs: 0 }));

async function start(settings: JsonObject, actors = 1, plugins: readonly string[] = []): Promise<VerifierPool> {
  const environment = await loadEnvironment(UNRULY, settings, folder);
  const parcels = await Promise.all(plugins.map((path) => loadPlugin(path, {}, folder)));
  return new VerifierPool(
    system,
    {
      environment: { bundle: environment.bundle, config: environment.config },
      evalPlugins: [],
      tokenizerDirectory,
      hookDeadlineMs: 10_000,
    },
    { key: "0", parcels: parcels.map(({ bundle, config }) => ({ bundle, config })) },
    { actors, deadlineMs: MAY_HANG.has(settings["fault"]) ? DEADLINE_MS : PATIENCE_MS },
    environment.definition.verifier(environment.config),
  );
}

/** A group of four: five response tokens after three of the prompt make a right answer, four a wrong one. */
function order(task: number, phase: "train" | "eval" = "train"): VerifyOrder {
  const id = `train/${task}`;
  return {
    seed: 1,
    step: 3,
    phase,
    mode: "default",
    plan: PLAN,
    plugins: "0",
    task: { id, domain: "unruly", prompt: [], reference: "even", meta: {} },
    trajectories: [5, 5, 4, 5].map((length, slot) => makeTrajectory(`3/${task}/${slot}`, id, slot, { length })),
  };
}

async function kinds(pool: VerifierPool, task: number): Promise<readonly string[]> {
  return (await pool.verify(order(task))).map(({ verdict }) => verdict.kind);
}

const fine = ["pass", "pass", "fail", "pass"];

describe("VerifierPool.verify()", () => {
  test("gives findings in the order of the trajectories, with the time of each", async () => {
    const findings = await (await start({})).verify(order(0));
    expect(findings.map(({ verdict }) => verdict)).toEqual(
      fine.map((kind) => expect.objectContaining({ kind, verifier: "unruly", ms: expect.any(Number) })),
    );
  });

  test("a verifier that throws has found nothing: verdict error, and the siblings have theirs", async () => {
    const pool = await start({ fault: "throw" });
    const findings = await pool.verify(order(0));
    expect(findings.map(({ verdict }) => verdict.kind)).toEqual(["pass", "error", "fail", "pass"]);
    expect(findings[1]?.verdict).toMatchObject({
      reason: "verifier-threw: RangeError: no verdict on 3/0/1",
      verifier: "unruly",
      version: "1.0.0",
    });
    expect(findings[1]?.verdict).not.toHaveProperty("score");
  });

  test.each([
    ["nothing", "verifier-returned: no verdict"],
    ["not-a-number", "verifier-returned: kind partial with score NaN"],
    ["unscored", "verifier-returned: kind pass with score undefined"],
    ["unheard-of", 'verifier-returned: kind "maybe"'],
  ])("a verifier that returns %s has found nothing: verdict error", async (fault, reason) => {
    const findings = await (await start({ fault })).verify(order(0));
    expect(findings.map(({ verdict }) => verdict.kind)).toEqual(["pass", "error", "fail", "pass"]);
    expect(findings[1]?.verdict).toMatchObject({ reason, verifier: "unruly", version: "1.0.0" });
  });

  test("a verifier that hangs is ended from outside: verdict timeout, and the siblings have theirs", async () => {
    const pool = await start({ fault: "hang" });
    const findings = await pool.verify(order(0));
    expect(findings.map(({ verdict }) => verdict.kind)).toEqual(["pass", "timeout", "fail", "pass"]);
    expect(findings[1]?.verdict).toMatchObject({
      reason: `deadline: quarantined "3/0/1" after two tries without a verdict within ${DEADLINE_MS} ms`,
      verifier: "unruly",
    });
    expect(await kinds(pool, 1)).toEqual(fine);
    // The threads that hung are gone.
    expect(system.list()).toHaveLength(1);
  });

  test("a verifier that ends its thread is infra, and the siblings have their verdicts", async () => {
    const pool = await start({ fault: "exit" });
    const findings = await pool.verify(order(0));
    expect(findings.map(({ verdict }) => verdict.kind)).toEqual(["pass", "infra", "fail", "pass"]);
    expect(findings[1]?.verdict).toMatchObject({
      reason: expect.stringMatching(
        /^verifier-died: quarantined "3\/0\/1", which ended its verifier twice: .*went down \(exit\)/,
      ),
      verifier: "unruly",
    });
    // Quarantined: asked again, nothing has to die for the same answer.
    const [, again] = await pool.verify(order(0));
    expect(again?.verdict).toEqual(findings[1]?.verdict);
    expect(system.list()).toHaveLength(1);
    expect(await kinds(pool, 1)).toEqual(fine);
  });

  test("a verifier that hangs, dies, returns a list or loses its network by chance costs those samples alone", async () => {
    const pool = await start({ fault: "mixed", share: 0.05 }, 2);
    const orders = Array.from({ length: 25 }, (_, task) => order(task));
    const found = (await Promise.all(orders.map((one) => pool.verify(one)))).flat();
    expect(found).toHaveLength(100);
    const failed = found.filter(({ verdict }) => verdict.score === undefined);
    expect(new Set(failed.map(({ verdict }) => verdict.reason.split(/[: ]/)[0]))).toEqual(
      new Set(["deadline", "verifier-died", "verifier-returned", "verifier-threw"]),
    );
    expect(failed.every(({ verdict }) => verdict.verifier === "unruly")).toBe(true);
    // Whoever is not hit has the verdict that it would have had.
    for (const [index, { verdict }] of found.entries())
      if (verdict.score !== undefined) expect(verdict.kind, String(index)).toBe(fine[index % 4]);
    expect(failed.length).toBeLessThan(40);
  });

  test("serves more groups than it has actors, and a hanging one holds up nobody for ever", async () => {
    const pool = await start({ fault: "hang", every: 3 }, 2);
    const found = await Promise.all([0, 1, 2, 4, 5, 3].map((task) => kinds(pool, task)));
    const faulty = ["pass", "timeout", "fail", "pass"];
    expect(found).toEqual([faulty, fine, fine, fine, fine, faulty]);
  });

  test("runs annotate hooks of the order's phase before the verifier, and merges what they record", async () => {
    const path = writePlugin(folder, "noting", {
      hooks: '{ annotate: { run: (ctx, trajectory) => ({ slot: ctx.slot, words: ctx.countTokens("<think>") }) } }',
    });
    const pool = await start({}, 1, [path]);
    const [first, second] = await pool.verify(order(0));
    expect([first?.annotations, second?.annotations]).toEqual([
      { slot: 0, words: 1 },
      { slot: 1, words: 1 },
    ]);
    expect((await pool.verify(order(0, "eval")))[0]?.annotations).toEqual({});
  });

  test("rejects when a hook throws: that is a plugin's fault, not an answer's", async () => {
    const path = writePlugin(folder, "failing", { hooks: '{ annotate: { run: () => { throw new Error("no"); } } }' });
    const pool = await start({}, 1, [path]);
    await expect(pool.verify(order(0))).rejects.toMatchObject({
      cause: { code: "HOOK_FAILED", message: expect.stringContaining('for trajectory "3/0/0" at step 3: Error: no') },
    });
  });
});
