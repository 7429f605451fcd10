import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Run } from "../../core/dist/src/run.js";
import type { RunSession } from "../../core/dist/src/run-session.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import { openSession } from "../support/open-session.js";
import { metricsOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";
import { writePlugin, type PluginSketch } from "../support/write-plugin.js";

const folder = temporaryFolder();

const { distill: _, ...TINY } = TINY_RUN;
const SETTINGS: JsonObject = {
  ...TINY,
  environment: { use: join(import.meta.dirname, "../support/environments/unruly.ts") },
  train: { steps: 4, promptsPerStep: 2, groupSize: 2 },
  rollout: { actors: 2, maxTokens: 8 },
  eval: { tasks: 2 },
};

/** A plugin that counts its steps, and says on every thread which version it is. */
function tally(version: string, more: PluginSketch = {}): PluginSketch {
  return {
    name: "tally",
    version,
    config: "z.strictObject({ by: z.number() })",
    more: "init: (_config, previous) => previous ?? { count: 0 },",
    hooks: `{
      plan: { run: (ctx) => { ctx.state.count += ctx.config.by; return { stage: String(ctx.state.count) }; } },
      format: { run: () => ({ annotations: { formattedBy: "${version}" } }) },
      annotate: { run: () => ({ annotatedBy: "${version}" }) },
    }`,
    ...more,
  };
}

interface StoredRollout {
  readonly plugins: Readonly<Record<string, string>>;
  readonly annotations: JsonObject;
}

function rolloutsOf(run: string, step: number): readonly StoredRollout[] {
  const text = readFileSync(join(run, "rollouts", `${String(step).padStart(6, "0")}.jsonl`), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function stagesOf(run: string): readonly string[] {
  return metricsOf(run).map((line) => JSON.parse(line).stage);
}

/** A run with the plugin in its first version; `swap` is called once, after the second step. */
async function swapAfterTwoSteps(
  own: string,
  swap: (session: RunSession) => Promise<void>,
): Promise<{ path: string; events: readonly RunEvent[]; swapped: Promise<unknown> }> {
  writePlugin(own, "tally", tally("1.0.0"));
  const events: RunEvent[] = [];
  const settings = { ...SETTINGS, plugins: [{ use: "./tally.ts", with: { by: 1 } }] };
  let swapped: Promise<unknown> = Promise.resolve();
  const { session, path } = await openSession(own, settings, (event) => {
    events.push(event);
    // What the swap ends with, so that nobody has to wait for it before it is carried out.
    if (event.type === "step" && event.report.step === 2) swapped = swap(session).catch((error: unknown) => error);
  });
  try {
    expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
  } finally {
    await session.close("finished");
  }
  return { path, events, swapped };
}

describe("RunSession.swapPlugin()", () => {
  test("replaces a plugin between two steps: its state goes on, and later samples name the new version", async () => {
    const own = join(folder, "swap");
    // The new version's schema has a setting more, with a default.
    const config = "z.strictObject({ by: z.number(), bonus: z.number().default(10) })";
    const hooks = (tally("2.0.0").hooks ?? "").replace("ctx.config.by", "ctx.config.by + ctx.config.bonus");
    writePlugin(own, "tally-2", tally("2.0.0", { config, hooks }));
    const { path, events, swapped } = await swapAfterTwoSteps(own, (session) => session.swapPlugin("./tally-2.ts"));

    await expect(swapped).resolves.toBeUndefined();
    expect(stagesOf(path)).toEqual(["1", "2", "13", "24"]);
    const versions = [1, 2, 3, 4].map((step) =>
      rolloutsOf(path, step).map(({ plugins, annotations }) => [plugins["tally"]?.split("+")[0], annotations]),
    );
    const by = (version: string): unknown => [version, { formattedBy: version, annotatedBy: version }];
    expect(versions).toEqual(
      ["1.0.0", "1.0.0", "2.0.0", "2.0.0"].map((version) => Array.from({ length: 4 }, () => by(version))),
    );
    expect(events.filter(({ type }) => type === "plugin")).toEqual([
      expect.objectContaining({
        step: 3,
        plugin: "tally",
        from: expect.stringMatching(/^1\.0\.0\+/),
        to: expect.stringMatching(/^2\.0\.0\+/),
      }),
    ]);
  });

  test.each<[string, (own: string) => string, string, RegExp]>([
    [
      "a syntax error",
      (own) => writePlugin(own, "broken", tally("2.0.0", { hooks: "{ plan: }" })),
      "MODULE_BUILD_FAILED",
      /broken\.ts:7:\d+ Unexpected "}"/,
    ],
    [
      "a top level that throws",
      (own) => writePlugin(own, "thrower", tally("2.0.0", { before: 'throw new RangeError("not today");' })),
      "MODULE_LOAD_FAILED",
      /RangeError: not today at .*thrower\.ts:2:7$/,
    ],
    [
      "another name",
      (own) => writePlugin(own, "other", tally("2.0.0", { name: "other" })),
      "PLUGIN_NOT_LOADED",
      /^Cannot change plugin "other": the run has "tally"$/,
    ],
    [
      "settings that do not fit",
      (own) => writePlugin(own, "stricter", tally("2.0.0", { config: "z.strictObject({ by: z.string() })" })),
      "PLUGIN_CONFIG_NOT_VALID",
      /^Cannot use the settings of plugin "tally": by: /,
    ],
    [
      "a state that it cannot take over",
      (own) =>
        writePlugin(own, "forgetful", tally("2.0.0", { more: "init: (_c, previous) => previous.counts.length," })),
      "PLUGIN_STATE_FAILED",
      /TypeError: .+forgetful\.ts:6:/,
    ],
    ["a path to nothing", () => "./nowhere.ts", "MODULE_NOT_FOUND", /nowhere/],
  ])("refuses %s, and training goes on with the old version", async (name, write, code, message) => {
    const own = join(folder, name.replaceAll(" ", "-"));
    const { path, events, swapped } = await swapAfterTwoSteps(own, (session) => session.swapPlugin(write(own)));
    await expect(swapped).resolves.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(stagesOf(path)).toEqual(["1", "2", "3", "4"]);
    expect(rolloutsOf(path, 4).map(({ annotations }) => annotations["annotatedBy"])).toEqual([
      "1.0.0",
      "1.0.0",
      "1.0.0",
      "1.0.0",
    ]);
    expect(events.filter(({ type }) => type === "plugin")).toEqual([]);
  });

  test("rolls back when a thread refuses what the driver took", async () => {
    const own = join(folder, "half");
    const before =
      'import { isMainThread } from "node:worker_threads";\nif (!isMainThread) throw new Error("not on threads");';
    writePlugin(own, "driver-only", tally("2.0.0", { before }));
    const { path, swapped } = await swapAfterTwoSteps(own, (session) => session.swapPlugin("./driver-only.ts"));
    await expect(swapped).resolves.toMatchObject({ code: "HANDLER_FAILED", cause: { code: "MODULE_LOAD_FAILED" } });
    expect(stagesOf(path)).toEqual(["1", "2", "3", "4"]);
    expect(rolloutsOf(path, 4).every(({ annotations }) => annotations["formattedBy"] === "1.0.0")).toBe(true);
  });

  test("rejects with SWAP_TOO_LATE when no step follows", async () => {
    const own = join(folder, "late");
    writePlugin(own, "tally", tally("1.0.0"));
    const { session } = await openSession(own, { ...SETTINGS, plugins: [{ use: "./tally.ts", with: { by: 1 } }] });
    const swapped = session.swapPlugin("./tally.ts").catch((error: unknown) => error);
    await session.close("interrupted");
    await expect(swapped).resolves.toMatchObject({
      code: "SWAP_TOO_LATE",
      message: 'Cannot swap in plugin "./tally.ts": the run ended (interrupted) before another step',
    });
  });
});

describe("RunSession.open()", () => {
  test("fails with what a plugin's init threw, and the place in its source", async () => {
    const own = join(folder, "no-start");
    writePlugin(own, "dead", { more: 'init: () => { throw new RangeError("no state"); },' });
    await expect(openSession(own, { ...SETTINGS, plugins: ["./dead.ts"] })).rejects.toMatchObject({
      code: "PLUGIN_STATE_FAILED",
      message: expect.stringMatching(
        /^Cannot make the state of plugin "dead" 1\.0\.0: RangeError: no state at .+dead\.ts:6:\d+$/,
      ),
    });
  });
});

describe("a run", () => {
  test.each<[string, string, boolean]>([
    [
      "every advantage is 0, though samples pass",
      "advantage: { run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => rewards_G.map(() => 0)) }",
      true,
    ],
    [
      "shaped rewards teach",
      "reward: { run: (_ctx, cohort) => samplesOf(cohort).map(({ trajectory }) => trajectory.slot) }",
      false,
    ],
  ])("warns at its end only if nothing was learned: %s", async (name, hook, isWarned) => {
    const own = join(folder, name.replaceAll(/\W+/g, "-"));
    writePlugin(own, "shaping", { hooks: `{ ${hook} }` });
    const events: RunEvent[] = [];
    const settings = { ...SETTINGS, plugins: ["./shaping.ts"] };
    const { session } = await openSession(own, settings, (event) => events.push(event));
    await new Run(session).train(new AbortController().signal);
    await session.close("finished");
    const warnings = events.filter((event) => event.type === "notice" && event.level === "warning");
    expect(warnings).toEqual(
      isWarned
        ? [expect.objectContaining({ message: expect.stringMatching(/^every advantage was 0 in 4 steps: /) })]
        : [],
    );
  });

  test("samples resampled groups again, not dropped ones, and laps generation and verification apart", async () => {
    const own = join(folder, "rounds");
    const fates = '{ 2: "drop", 3: "resample" }[group.id.split("/")[1]]';
    writePlugin(own, "fates", { hooks: `{ keep: { run: (_ctx, { group }) => (${fates}) } }` });
    const train = { steps: 1, promptsPerStep: 4, groupSize: 2 };
    const { session, path } = await openSession(own, { ...SETTINGS, train, plugins: ["./fates.ts"] });
    await new Run(session).train(new AbortController().signal);
    await session.close("finished");
    const { metrics } = JSON.parse(metricsOf(path)[0] ?? "{}");
    expect(metrics).toMatchObject({ "group/rounds": 2, "group/kept": 3, "time/verify": expect.any(Number) });
  });

  test("goes on when a rollout actor dies, with the same samples", async () => {
    // Ends its thread once, in the middle of step 2; both runs have the same plugin.
    const dying = (flag: string): PluginSketch => ({
      name: "dying",
      before: 'import { existsSync, writeFileSync } from "node:fs";',
      hooks: `{ format: { run: (ctx) => {
        if (ctx.step !== 2 || ctx.phase !== "train" || existsSync("${flag}")) return undefined;
        writeFileSync("${flag}", "");
        process.exit(9);
      } } }`,
    });
    const ledgers = [];
    for (const name of ["whole", "dying"]) {
      const own = join(folder, name);
      const flag = join(own, "has-died");
      writePlugin(own, "dying", dying(flag));
      if (name === "whole") writeFileSync(flag, "");
      const { session, path } = await openSession(own, { ...SETTINGS, plugins: ["./dying.ts"] });
      await new Run(session).train(new AbortController().signal);
      await session.close("finished");
      expect(existsSync(flag)).toBe(true);
      ledgers.push(readFileSync(join(path, "ledger.jsonl"), "utf8"));
    }
    expect(ledgers[0]?.trimEnd().split("\n")).toHaveLength(4);
    expect(ledgers[1]).toBe(ledgers[0]);
  });

  test("warns when a checkpoint was computed with other kernels", async () => {
    const own = join(folder, "other-kernels");
    const { session, path, again } = await openSession(own, SETTINGS);
    await session.checkpoint({ ahead: [], carried: [] });
    await session.close("stopped");
    const file = join(path, "checkpoints", "000000", "state.json");
    const state = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...state, kernelSet: "abacus" }));
    const events: RunEvent[] = [];
    await (await again((event) => events.push(event))).close("stopped");
    const warnings = events.filter((event) => event.type === "notice" && event.level === "warning");
    expect(warnings).toMatchObject([{ message: expect.stringMatching(/with abacus kernels, this process has /) }]);
  });

  test("ends when what it asks for ends every rollout actor", async () => {
    const own = join(folder, "deadly");
    writePlugin(own, "deadly", {
      hooks: '{ format: { run: (ctx) => (ctx.phase === "train" ? process.exit(9) : undefined) } }',
    });
    const { session } = await openSession(own, { ...SETTINGS, plugins: ["./deadly.ts"] });
    await expect(new Run(session).train(new AbortController().signal)).rejects.toMatchObject({ code: "ACTOR_DOWN" });
    await session.close("failed");
  });

  test("names plugin, hook, task and place of a hook that throws on a rollout thread", async () => {
    const own = join(folder, "throwing");
    const path = writePlugin(own, "throwing", {
      hooks: '{ format: { run: () => { throw new RangeError("no prompt"); } } }',
    });
    const { session } = await openSession(own, { ...SETTINGS, plugins: ["./throwing.ts"] });
    await expect(new Run(session).train(new AbortController().signal)).rejects.toMatchObject({
      code: "HANDLER_FAILED",
      cause: {
        code: "HOOK_FAILED",
        message: expect.stringMatching(
          new RegExp(
            `^Cannot go on with hook "format" of plugin "throwing" 1\\.0\\.0 for task "train/\\d" slot 0 at step 1: RangeError: no prompt at ${path}:7:\\d+$`,
          ),
        ),
      },
    });
    await session.close("failed");
  });
});
