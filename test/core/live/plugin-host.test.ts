import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Run } from "../../../core/dist/src/run.js";
import { RunSession } from "../../../core/dist/src/run-session.js";
import { loadConfig } from "../../../core/dist/src/config/load-config.js";
import { runConfigSchema } from "../../../core/dist/src/config/run-config.js";
import { replay } from "../../../core/dist/src/replay.js";
import { RunDirectory } from "../../../core/dist/src/store/run-directory.js";
import { readStep } from "../../../core/src/store/rollouts.js";
import type { JsonObject } from "../../../core/src/records/json.js";
import type { RunEvent } from "../../../core/src/records/run-event.js";
import { openSession, type OpenSession } from "../../support/open-session.js";
import { metricsOf } from "../../support/run-traces.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_RUN } from "../../support/tiny-run.js";
import { writePlugin, type PluginSketch } from "../../support/write-plugin.js";

const folder = temporaryFolder();

const { distill: _, ...TINY } = TINY_RUN;
const SETTINGS = {
  ...TINY,
  environment: { use: join(import.meta.dirname, "../../support/environments/unruly.ts") },
  train: { steps: 5, promptsPerStep: 2, groupSize: 2 },
  rollout: { actors: 2, maxTokens: 8 },
  eval: { tasks: 2 },
  plugins: [{ use: "./tally.ts", with: { by: 1 } }],
} satisfies JsonObject;

/** A plugin that counts its steps in the stage's name and rewards every sample with its version. */
function tally(version: string, by = "1", more: PluginSketch = {}): PluginSketch {
  return {
    name: "tally",
    version,
    config: "z.strictObject({ by: z.number() })",
    more: "init: (_config, previous) => previous ?? { count: 0 },",
    hooks: `{
      plan: { run: (ctx) => { ctx.state.count += ${by}; return { stage: String(ctx.state.count) }; } },
      reward: { writes: ["reward"], run: (_ctx, cohort) => samplesOf(cohort).map(() => ${version.split(".")[0]}) },
    }`,
    ...more,
  };
}

/** A hook beside those of `tally`, in a plugin that counts by one. */
function withHook(version: string, hook: string): PluginSketch {
  return tally(version, "1", {
    hooks: `{ plan: { run: (ctx) => { ctx.state.count += 1; return { stage: String(ctx.state.count) }; } }, ${hook} }`,
  });
}

interface Played {
  readonly path: string;
  readonly events: readonly RunEvent[];
  readonly stages: readonly string[];
  readonly changes: readonly (readonly [number, string, string, string])[];
}

/** A run of five steps with version 1.0.0; `after` is called when a step was reported. */
async function play(
  own: string,
  settings: JsonObject,
  after: (step: number, session: RunSession) => void,
  onEvent: (event: RunEvent, session: () => RunSession) => void = () => {},
): Promise<Played> {
  writePlugin(own, "tally", tally("1.0.0"));
  const events: RunEvent[] = [];
  const { session, path } = await openSession(own, { ...SETTINGS, ...settings }, (event) => {
    events.push(event);
    onEvent(event, () => session);
    if (event.type === "step") after(event.report.step, session);
  });
  try {
    expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
  } finally {
    await session.close("finished");
  }
  return {
    path,
    events,
    stages: metricsOf(path).map((line) => JSON.parse(line).stage),
    changes: events.flatMap((event) =>
      event.type === "plugin"
        ? [[event.step, event.action, event.from.split("+")[0]!, event.to.split("+")[0]!] as const]
        : [],
    ),
  };
}

function rewardsOf(path: string): readonly (readonly number[])[] {
  return readFileSync(join(path, "ledger.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).samples.map(({ reward }: { reward: number }) => reward));
}

describe("a swap while steps are sampled ahead", () => {
  test("leaves what is under way with the version that it began with, in every actor", async () => {
    const own = join(folder, "under-way");
    const mark = (version: number): PluginSketch =>
      tally(`${version}.0.0`, "1", {
        hooks: `{
          format: { writes: ["annotation.formatted"], run: () => ({ annotations: { formatted: ${version} } }) },
          annotate: { writes: ["annotation.annotated"], run: () => ({ annotated: ${version} }) },
          reward: { writes: ["reward"], run: (ctx, cohort) => samplesOf(cohort).map(() => ctx.random.uniform()) },
        }`,
      });
    const next = writePlugin(join(own, "next"), "tally", mark(2));
    writePlugin(own, "tally", mark(1));
    const train = { steps: 8, promptsPerStep: 2, groupSize: 2, staleness: 2 };
    let swapped: Promise<void> | undefined;
    const { session, path } = await openSession(own, { ...SETTINGS, train }, (event) => {
      if (event.type === "step" && event.report.step === 3) swapped = session.swapPlugin(next);
    });
    try {
      expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
    } finally {
      await session.close("finished");
    }
    await swapped;
    const versions: unknown[] = [];
    for (let step = 1; step <= 8; step++) {
      const marks = (await readStep(join(path, "rollouts"), step)).map(({ record }) => record.annotations);
      const first = marks[0]?.["formatted"];
      expect(new Set(marks.flatMap((one) => [one["formatted"], one["annotated"]])), `step ${step}`).toEqual(
        new Set([first]),
      );
      versions.push(first);
    }
    // Steps 4 and 5 were under way when step 3 ended.
    expect(versions).toEqual([1, 1, 1, 1, 1, 2, 2, 2]);
  });
});

describe("PluginHost and a saved file", () => {
  test("swaps it in at the next step; a broken one changes nothing and is said once", async () => {
    const own = join(folder, "watch");
    const { path, events, changes } = await play(own, { live: { watch: true } }, (step) => {
      if (step === 1) writePlugin(own, "tally", tally("2.0.0", "1", { hooks: "{ plan: }" }));
      if (step === 3) writePlugin(own, "tally", tally("3.0.0"));
    });
    expect(changes).toEqual([[4, "swap", "1.0.0", "3.0.0"]]);
    expect(rewardsOf(path).map((rewards) => new Set(rewards))).toEqual(
      [1, 1, 1, 3, 3].map((reward) => new Set([reward])),
    );
    const said = events.filter(
      (event) => event.type === "notice" && event.message.includes("was saved but cannot be used"),
    );
    expect(said).toHaveLength(1);
    expect(said[0]).toMatchObject({
      level: "warning",
      message: expect.stringMatching(/MODULE_BUILD_FAILED: .*tally\.ts:7:/),
    });
  });

  test("leaves a pinned plugin alone", async () => {
    const own = join(folder, "pinned");
    const { changes } = await play(own, { live: { watch: true } }, (step, session) => {
      if (step === 1) void session.parts.plugins.change({ verb: "pin", plugin: "tally" });
      if (step === 2) writePlugin(own, "tally", tally("2.0.0"));
    });
    expect(changes).toEqual([]);
  });
});

describe("PluginHost and a plugin whose clip bound goes over the config's", () => {
  test("refuses to load it; the run goes on without it", async () => {
    let refused: Promise<unknown> = Promise.resolve();
    const { changes } = await play(join(folder, "bounds"), { loss: { clipHigh: 0.4 } }, (step, session) => {
      if (step === 2)
        refused = session.parts.plugins.change({ verb: "load", use: "grpo", with: {} }).catch((error) => error);
    });
    expect(await refused).toMatchObject({ code: "LOSS_SETTING_OVERRULED" });
    expect(changes).toEqual([]);
  });
});

describe("PluginHost and a plugin that fails in its first steps", () => {
  test.each<[string, string, RegExp]>([
    [
      "throws in the driver",
      'reward: { run: () => { throw new Error("no"); } }',
      /HOOK_FAILED: .*"reward" of plugin "tally" 2\.0\.0/,
    ],
    ["gives a NaN", "reward: { run: (_ctx, c) => samplesOf(c).map(() => NaN) }", /HOOK_RESULT_NOT_VALID: .*NaN/],
    ["never ends", "reward: { run: () => { for (;;); } }", /HOOK_DEADLINE: .*"reward".*after 3000 ms/],
    ["throws in a rollout actor", 'format: { run: () => { throw new Error("no"); } }', /HOOK_FAILED: .*"format"/],
    ["never ends in a rollout actor", "format: { run: () => { for (;;); } }", /HOOK_DEADLINE: .*"format"/],
    ["throws in a verifier actor", 'annotate: { run: () => { throw new Error("no"); } }', /HOOK_FAILED: .*"annotate"/],
    [
      "throws once the policy has learned",
      'observe: { run: () => { throw new Error("no"); } }',
      /HOOK_FAILED: .*"observe"/,
    ],
  ])(
    "that %s: the old version is back with its state, and no step is lost or done twice",
    async (name, hook, reason) => {
      const own = join(folder, name.replaceAll(" ", "-"));
      writePlugin(own, "tally-2", withHook("2.0.0", hook));
      // Short where it is waited for; elsewhere a busy machine must not reach it.
      const settings = { live: { hookDeadlineMs: name.includes("never ends") ? 3000 : 30_000 } };
      const { path, events, changes, stages } = await play(own, settings, (step, session) => {
        if (step === 2) void session.swapPlugin("./tally-2.ts");
      });
      expect(changes).toEqual([
        [3, "swap", "1.0.0", "2.0.0"],
        [name.includes("learned") ? 4 : 3, "roll-back", "2.0.0", "1.0.0"],
      ]);
      expect(events.find((event) => event.type === "plugin" && event.action === "roll-back")).toMatchObject({
        reason: expect.stringMatching(reason),
      });
      // The state at the swap counts on: what the failed version did to it has left no trace.
      expect(stages).toEqual(name.includes("learned") ? ["1", "2", "3", "3", "4"] : ["1", "2", "3", "4", "5"]);
      expect(rewardsOf(path)).toHaveLength(5);
      expect(new Set(await replayed(path))).toEqual(new Set([true]));
    },
  );

  test("is put back to bit-equal rewards: as if it had never been swapped", async () => {
    const calm = await play(join(folder, "calm"), {}, () => {});
    const own = join(folder, "stormy");
    writePlugin(own, "tally-2", withHook("2.0.0", 'reward: { run: () => { throw new Error("no"); } }'));
    const stormy = await play(own, {}, (step, session) => {
      if (step === 2) void session.swapPlugin("./tally-2.ts");
    });
    const ledger = (path: string): string => readFileSync(join(path, "ledger.jsonl"), "utf8");
    expect(ledger(stormy.path)).toBe(ledger(calm.path));
  });
});

/** A second plugin that counts steps: `witness/seen` is how many it has seen. */
const WITNESS: PluginSketch = {
  more: "init: (_config, previous) => previous ?? { seen: 0 },",
  hooks: '{ observe: { run: (ctx) => ({ "witness/seen": ++ctx.state.seen }) } }',
};
const WITH_WITNESS = [{ use: "./tally.ts", with: { by: 1 } }, "./witness.ts"];

function metricOf(path: string, name: string): readonly number[] {
  return metricsOf(path).map((line) => JSON.parse(line).metrics[name]);
}

async function replayed(path: string): Promise<readonly boolean[]> {
  const { config, baseDirectory } = loadConfig(join(path, "../../run.yaml"), [], runConfigSchema);
  const found: boolean[] = [];
  for await (const { samples } of replay({ config, baseDirectory, directory: await RunDirectory.open(path) }))
    found.push(...samples.map(({ isEqual }) => isEqual));
  return found;
}

describe("PluginHost and a plugin on probation that cannot save its state", () => {
  test.each<[string, string, RegExp]>([
    ["throws", "throw new Error('no');", /^PLUGIN_STATE_FAILED: .*"tally" 2\.0\.0: Error: no at/],
    ["gives a map", "return new Map();", /^PLUGIN_STATE_FAILED: .*the state is a Map,/],
    ["gives a NaN", "return { count: NaN };", /the state\.count is NaN, which JSON cannot hold/],
    ["gives a cycle", "state.self = state;", /circular/],
    ["never ends", "for (;;);", /^HOOK_DEADLINE: .*"dispose"/],
  ])("rolls it back where its dispose %s: what the step gave stays", async (name, dispose, reason) => {
    const own = join(folder, `state-${name.replaceAll(" ", "-")}`);
    const more = `${tally("").more} dispose: (state) => { if (state.count > 2) { ${dispose} } return state; },`;
    writePlugin(own, "tally-2", tally("2.0.0", "1", { more }));
    writePlugin(own, "witness", WITNESS);
    const live = { hookDeadlineMs: name === "never ends" ? 3000 : 30_000 };
    const settings = { live, plugins: WITH_WITNESS, store: { checkpointEvery: 1 } };
    const { path, events, changes, stages } = await play(own, settings, (step, session) => {
      if (step === 2) void session.swapPlugin("./tally-2.ts");
    });
    expect(changes).toEqual([
      [3, "swap", "1.0.0", "2.0.0"],
      [4, "roll-back", "2.0.0", "1.0.0"],
    ]);
    expect(events.find((event) => event.type === "plugin" && event.action === "roll-back")).toMatchObject({
      reason: expect.stringMatching(reason),
    });
    expect(stages).toEqual(["1", "2", "3", "3", "4"]);
    expect(rewardsOf(path).map(([first]) => first)).toEqual([1, 1, 2, 1, 1]);
    expect(metricOf(path, "witness/seen")).toEqual([1, 2, 3, 4, 5]);
    expect(await replayed(path)).toEqual(Array.from({ length: 20 }, () => true));
  });

  test("takes a trusted one out where the config says so, and keeps the others' states", async () => {
    const own = join(folder, "state-remove");
    const more = "init: () => ({}), dispose: () => { throw new Error('no'); },";
    writePlugin(own, "mute", { more });
    writePlugin(own, "witness", WITNESS);
    const settings = { plugins: [...WITH_WITNESS, "./mute.ts"], live: { onHookFailure: "remove" } };
    const { path, changes, stages } = await play(own, settings, () => {});
    expect(changes).toEqual([[1, "unload", "1.0.0", ""]]);
    expect(stages).toEqual(["1", "2", "3", "4", "5"]);
    expect(metricOf(path, "witness/seen")).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("PluginHost and several changes on probation", () => {
  const BROKEN = 'reward: { run: () => { throw new Error("no"); } }';

  test("puts each of them back that fails", async () => {
    const own = join(folder, "two-broken");
    writePlugin(own, "witness", WITNESS);
    writePlugin(own, "tally-2", withHook("2.0.0", BROKEN));
    writePlugin(own, "witness-2", { ...WITNESS, name: "witness", version: "2.0.0", hooks: `{ ${BROKEN} }` });
    const { changes, path } = await play(own, { plugins: WITH_WITNESS }, (step, session) => {
      if (step !== 2) return;
      void session.swapPlugin("./tally-2.ts");
      void session.swapPlugin("./witness-2.ts");
    });
    expect(changes).toEqual([
      [3, "swap", "1.0.0", "2.0.0"],
      [3, "swap", "1.0.0", "2.0.0"],
      [3, "roll-back", "2.0.0", "1.0.0"],
      [3, "roll-back", "2.0.0", "1.0.0"],
    ]);
    expect(metricOf(path, "witness/seen")).toEqual([1, 2, 3, 4, 5]);
  });

  test("goes back to a version that has not stood its own probation, and from there to the one before", async () => {
    const own = join(folder, "in-a-row");
    const late = BROKEN.replace("throw", "if (ctx.step === 5) throw").replace("()", "(ctx)");
    writePlugin(own, "tally-2", withHook("2.0.0", late));
    writePlugin(own, "tally-3", withHook("3.0.0", BROKEN));
    const { changes } = await play(own, {}, (step, session) => {
      if (step === 2) void session.swapPlugin("./tally-2.ts");
      if (step === 3) void session.swapPlugin("./tally-3.ts");
    });
    expect(changes.map(([step, action, , to]) => [step, action, to])).toEqual([
      [3, "swap", "2.0.0"],
      [4, "swap", "3.0.0"],
      [4, "roll-back", "2.0.0"],
      [5, "roll-back", "1.0.0"],
    ]);
  });

  test("makes a change anew that was prepared on a version which has failed since", async () => {
    const own = join(folder, "anew");
    writePlugin(own, "witness", WITNESS);
    writePlugin(own, "witness-2", { ...WITNESS, name: "witness", version: "2.0.0" });
    writePlugin(own, "tally-2", withHook("2.0.0", BROKEN));
    const { changes, path } = await play(
      own,
      { plugins: WITH_WITNESS },
      (step, session) => {
        if (step === 2) void session.swapPlugin("./tally-2.ts");
      },
      (event, session) => {
        // In its first step, while the list with it is in use.
        if (event.type === "plugin" && event.plugin === "tally" && event.action === "swap")
          void session().swapPlugin("./witness-2.ts");
      },
    );
    expect(changes).toEqual([
      [3, "swap", "1.0.0", "2.0.0"],
      [3, "roll-back", "2.0.0", "1.0.0"],
      [4, "swap", "1.0.0", "2.0.0"],
    ]);
    expect(rewardsOf(path).map(([first]) => first)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe("PluginHost after a resume within a probation", () => {
  const later = (version: string, at: number): PluginSketch =>
    withHook(
      version,
      `reward: { run: (ctx, c) => { if (ctx.step === ${at}) throw new Error("no"); return samplesOf(c).map(() => ctx.random.uniform()); } }`,
    );
  const settings = { store: { checkpointEvery: 2 }, train: { steps: 7, promptsPerStep: 2, groupSize: 2 } };

  /** Swaps after step 1, so that steps 2 to 4 are the probation; leaves after `steps` without a checkpoint, if at all. */
  async function run(own: string, second: PluginSketch | undefined, leaveAfter: number): Promise<OpenSession> {
    writePlugin(own, "tally", tally("1.0.0"));
    if (second) writePlugin(own, "tally-2", second);
    const opened = await openSession(own, { ...SETTINGS, ...settings }, (event) => {
      if (second && event.type === "step" && event.report.step === 1) void opened.session.swapPlugin("./tally-2.ts");
    });
    const { session } = opened;
    const training = new Run(session);
    try {
      for (let step = 1; step <= leaveAfter; step++) {
        await training.nextStep();
        if (step % 2 === 0) await training.save();
      }
      if (leaveAfter === 0) await training.train(new AbortController().signal);
    } finally {
      await session.close("failed");
    }
    return opened;
  }

  const ledgerOf = (path: string): string => readFileSync(join(path, "ledger.jsonl"), "utf8");

  test.each([2, 3])("left after step %i: what fails is rolled back as in the undisturbed run", async (leaveAfter) => {
    const whole = await run(join(folder, `probation-whole-${leaveAfter}`), later("2.0.0", 4), 0);
    const cut = await run(join(folder, `probation-cut-${leaveAfter}`), later("2.0.0", 4), leaveAfter);
    const events: RunEvent[] = [];
    const resumed = await cut.again((event) => events.push(event));
    expect(await new Run(resumed).train(new AbortController().signal)).toBe("finished");
    await resumed.close("finished");
    expect(events.filter(({ type }) => type === "plugin")).toEqual([
      expect.objectContaining({ step: 4, action: "roll-back", reason: expect.stringContaining("HOOK_FAILED") }),
    ]);
    expect(ledgerOf(cut.path)).toBe(ledgerOf(whole.path));
    expect(await replayed(cut.path)).toEqual(Array.from({ length: 28 }, () => true));
  });

  test("does not begin the probation again: a failure after it stops the run, and the version before is known", async () => {
    const cut = await run(join(folder, "probation-over"), later("2.0.0", 5), 3);
    const resumed = await cut.again(() => {});
    expect(resumed.parts.plugins.list()).toMatchObject([{ earlier: [expect.stringMatching(/^1\.0\.0\+/)] }]);
    await expect(new Run(resumed).train(new AbortController().signal)).rejects.toMatchObject({ code: "HOOK_FAILED" });
    await resumed.close("failed");
  });

  test("a plugin whose file changed while the run stood still is on probation too", async () => {
    const own = join(folder, "probation-file");
    const cut = await run(own, undefined, 2);
    writePlugin(own, "tally", later("2.0.0", 3));
    const changes: string[] = [];
    const resumed = await cut.again((event) => {
      if (event.type === "plugin") changes.push(`${event.step} ${event.action}`);
    });
    expect(await new Run(resumed).train(new AbortController().signal)).toBe("finished");
    await resumed.close("finished");
    expect(changes).toEqual(["3 swap", "3 roll-back"]);
    expect(metricsOf(cut.path).map((line) => JSON.parse(line).stage)).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
    expect(rewardsOf(cut.path).map(([first]) => first)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(await replayed(cut.path)).toEqual(Array.from({ length: 28 }, () => true));
  });
});

describe("PluginHost and a hook that fails later", () => {
  const late = withHook(
    "1.0.0",
    'reward: { run: (ctx, c) => { if (ctx.step === 3) throw new Error("no"); return undefined; } }',
  );

  test("goes on without the plugin where the config says so", async () => {
    const own = join(folder, "remove");
    writePlugin(own, "late", { ...late, name: "late" });
    const plugins = [
      { use: "./tally.ts", with: { by: 1 } },
      { use: "./late.ts", with: { by: 1 } },
    ];
    const { changes, path } = await play(own, { plugins, live: { onHookFailure: "remove" } }, () => {});
    expect(changes).toEqual([[3, "unload", "1.0.0", ""]]);
    expect(rewardsOf(path)).toHaveLength(5);
  });

  test("stops the run otherwise", async () => {
    const own = join(folder, "stop");
    writePlugin(own, "late", { ...late, name: "late" });
    const plugins = [{ use: "./late.ts", with: { by: 1 } }];
    await expect(play(own, { plugins }, () => {})).rejects.toMatchObject({ code: "HOOK_FAILED" });
  });
});

describe("PluginHost.change()", () => {
  test("loads, unloads and rolls back; every sample names the versions that touched it", async () => {
    const own = join(folder, "verbs");
    writePlugin(own, "tally-2", tally("2.0.0"));
    writePlugin(own, "extra", { hooks: '{ observe: { run: () => ({ "extra/seen": 1 }) } }' });
    const answers: Promise<unknown>[] = [];
    const ask = (session: RunSession, change: Parameters<RunSession["parts"]["plugins"]["change"]>[0]): void => {
      answers.push(session.parts.plugins.change(change).catch((error: unknown) => error));
    };
    const { path, changes } = await play(own, {}, (step, session) => {
      if (step === 1) ask(session, { verb: "swap", plugin: "tally", use: "./tally-2.ts" });
      if (step === 1) ask(session, { verb: "load", use: "./extra.ts", with: {} });
      if (step === 2) ask(session, { verb: "rollback", plugin: "tally" });
      if (step === 3) ask(session, { verb: "unload", plugin: "extra" });
      if (step === 3) ask(session, { verb: "rollback", plugin: "tally" });
      if (step === 3) ask(session, { verb: "unload", plugin: "absent" });
      if (step === 3) ask(session, { verb: "load", use: "./tally-2.ts", with: { by: 1 } });
    });
    expect(changes).toEqual([
      [2, "swap", "1.0.0", "2.0.0"],
      [2, "load", "", "1.0.0"],
      [3, "roll-back", "2.0.0", "1.0.0"],
      [4, "unload", "1.0.0", ""],
    ]);
    expect(await Promise.all(answers.slice(4))).toEqual([
      expect.objectContaining({ code: "PLUGIN_NO_EARLIER" }),
      expect.objectContaining({ code: "PLUGIN_NOT_LOADED" }),
      expect.objectContaining({ code: "PLUGIN_DUPLICATE" }),
    ]);
    const [, second, third, fourth] = metricsOf(path).map((line) => JSON.parse(line));
    expect([second, third, fourth].map(({ metrics }) => metrics["extra/seen"])).toEqual([1, 1, undefined]);
    // Rolled back to the state of the moment it was replaced: step 1 counted 1, and step 3 goes on from there.
    expect([second, third, fourth].map(({ stage }) => stage)).toEqual(["2", "2", "3"]);
  });

  test("survives a resume: the run goes on with what was swapped in, not with the config's", async () => {
    const own = join(folder, "resume");
    writePlugin(own, "tally", tally("1.0.0"));
    writePlugin(own, "tally-2", tally("2.0.0", "10"));
    const first = await openSession(own, { ...SETTINGS, store: { checkpointEvery: 1 } }, (event) => {
      if (event.type === "step" && event.report.step === 1)
        void first.session.parts.plugins.change({ verb: "swap", use: "./tally-2.ts" });
      if (event.type === "step" && event.report.step === 2) stop.abort();
    });
    const stop = new AbortController();
    await new Run(first.session).train(stop.signal);
    await first.session.close("interrupted");
    const { config, baseDirectory } = loadConfig(join(own, "run.yaml"), [], runConfigSchema);
    const directory = await RunDirectory.open(first.path);
    const session = await RunSession.open({ config, baseDirectory, directory, attempt: 2, onEvent: () => {} });
    expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
    await session.close("finished");
    expect(metricsOf(first.path).map((line) => JSON.parse(line).stage)).toEqual(["1", "11", "21", "31", "41"]);
  });
});

describe("a run's control folder", () => {
  test("answers requests that are not valid and leaves the run alone", async () => {
    const own = join(folder, "control");
    const control = join(own, "runs", "0001-tiny", "control");
    const isAnswered = (id: string): boolean => existsSync(join(control, `${id}.answer.json`));
    writePlugin(own, "tally", tally("1.0.0"));
    const changes: RunEvent[] = [];
    const end = new AbortController();
    // Trains until both are answered, however soon it looks.
    const { session } = await openSession(own, { ...SETTINGS, train: { ...SETTINGS.train, steps: 1e6 } }, (event) => {
      if (event.type === "plugin") changes.push(event);
      if (event.type === "step" && event.report.step === 1) {
        writeFileSync(join(control, "a.request.json"), "{");
        writeFileSync(join(control, "b.request.json"), JSON.stringify({ attempt: 7, change: { verb: "list" } }));
      }
      if (isAnswered("a") && isAnswered("b")) end.abort();
    });
    expect(await new Run(session).train(end.signal)).toBe("interrupted");
    await session.close("interrupted");
    expect(changes).toEqual([]);
    for (const [id, problem] of [
      ["a", /SyntaxError/],
      ["b", /for attempt 7, and this is attempt 1/],
    ] as const)
      expect(readFileSync(join(control, `${id}.answer.json`), "utf8")).toMatch(problem);
  });
});
