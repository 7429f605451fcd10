import { describe, expect, test } from "vitest";
import { selectionFrom } from "../../../core/src/environments/selection-from.js";
import { Method, rewardedGroups } from "../../../core/src/hooks/method.js";
import { loadPlugin, type LoadedPlugin } from "../../../core/src/hooks/plugin-loader.js";
import type { Task } from "../../../core/src/records/task.js";
import { makeCohort, makeGroup, PLAN } from "../../plugins/hook-contexts.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writePlugin, type PluginSketch } from "../../support/write-plugin.js";
import { PPO } from "../numerics/loss-fixtures.js";

const folder = temporaryFolder();
const moment = { step: 3, progress: 0.25 };
const report = { step: 3, stage: "run", version: 3, trainTokens: 100, metrics: { "reward/mean": 0.5 } };

function plugin(name: string, sketch: PluginSketch): Promise<LoadedPlugin> {
  return loadPlugin(writePlugin(folder, name, { name, ...sketch }), {}, folder);
}

async function hooked(name: string, hooks: string): Promise<LoadedPlugin> {
  return plugin(name, { hooks });
}

function method(...plugins: readonly LoadedPlugin[]): Method {
  return new Method({ seed: 1, plugins, states: {}, onEvent: () => {}, hookDeadlineMs: 10_000 });
}

const groups = [
  makeGroup("3/0", [{ verdict: "pass" }, { verdict: "fail" }]),
  makeGroup("3/1", [{ verdict: "fail" }, { verdict: "fail" }]),
];
const cohort = makeCohort(groups);
const rewarded = rewardedGroups(groups, [1, 0, 0, 0]);

describe("Method.plan() (chain)", () => {
  test("passes the plan on, lays changes over it and joins the plugins' parameters", async () => {
    const planned = method(
      await hooked(
        "half",
        "{ plan: { run: (ctx, plan) => ({ maxTokens: plan.maxTokens / 2, parameters: { [ctx.plugin]: { a: 1 } } }) } }",
      ),
      await hooked("silent", "{ plan: { run: () => undefined } }"),
      await hooked(
        "more",
        "{ plan: { run: (ctx, plan) => ({ maxTokens: plan.maxTokens + 1, stage: String(ctx.progress), parameters: { [ctx.plugin]: { b: 2 } } }) } }",
      ),
    ).plan(moment, PLAN, undefined);
    expect(planned).toEqual({ ...PLAN, maxTokens: 33, stage: "0.25", parameters: { half: { a: 1 }, more: { b: 2 } } });
  });

  test("asks a plugin in its own steps alone, and keeps its state meanwhile", async () => {
    const sketch: PluginSketch = {
      more: "init: (_config, previous) => previous ?? { calls: 0 },",
      hooks: "{ plan: { run: (ctx) => { ctx.state.calls += 1; return { stage: ctx.plugin }; } } }",
    };
    const one = method(
      { ...(await plugin("until-two", sketch)), steps: { to: 2 } },
      { ...(await plugin("from-four", sketch)), steps: { from: 4 } },
    );
    const stages = [1, 2, 3, 4].map((step) => one.plan({ step, progress: 0 }, PLAN, undefined).stage);
    expect(stages).toEqual(["until-two", "until-two", PLAN.stage, "from-four"]);
    expect(one.states()).toEqual({ "until-two": { calls: 2 }, "from-four": { calls: 1 } });
  });

  test("shows the last report, and undefined before the first", async () => {
    const one = method(
      await hooked(
        "looking",
        '{ plan: { run: (_ctx, _plan, last) => ({ stage: last ? "after " + last.step : "first" }) } }',
      ),
    );
    expect(one.plan(moment, PLAN, undefined).stage).toBe("first");
    expect(one.plan(moment, PLAN, report).stage).toBe("after 3");
  });
});

describe("Method.select() (first)", () => {
  const at = (index: number): Task => ({ id: `t${index}`, domain: "", prompt: [], reference: "", meta: {} });
  const selection = selectionFrom({ size: 10, at }, 2);

  test("takes the first answer and asks nobody after it", async () => {
    const chosen = method(
      await hooked("passing", "{ select: { run: () => undefined } }"),
      await hooked("choosing", "{ select: { run: (_ctx, selection) => [selection.size - 1, 0] } }"),
      await hooked("unasked", "{ select: { run: () => { throw new Error('asked') } } }"),
    ).select(moment, PLAN, selection);
    expect(chosen).toEqual([9, 0]);
    expect(method().select(moment, PLAN, selection)).toBeUndefined();
  });

  test.each([
    ["[1]", "it returned 1 numbers for 2 samples"],
    ["[1, 10]", "index 10 is not in [0, 10)"],
    ["[0, 1.5]", "index 1.5 is not in [0, 10)"],
    ["[0, -1]", "index -1 is not in [0, 10)"],
  ])("refuses %s", async (indices, problem) => {
    const bad = method(await hooked("wrong", `{ select: { run: () => ${indices} } }`));
    expect(() => bad.select(moment, PLAN, selection)).toThrow(
      expect.objectContaining({ code: "HOOK_RESULT_NOT_VALID", message: expect.stringContaining(problem) }),
    );
  });
});

describe("Method.reward() (chain)", () => {
  test("starts at the verdicts' scores and tells what every plugin added", async () => {
    const shaped = method(
      await hooked("doubled", "{ reward: { run: (_ctx, _cohort, rewards_N) => rewards_N.map((r) => 2 * r) } }"),
      await hooked("listening", "{ reward: { run: () => undefined } }"),
      await hooked(
        "lowered",
        "{ reward: { run: (_ctx, cohort, rewards_N) => samplesOf(cohort).map((_, i) => rewards_N[i] - 0.5) } }",
      ),
    ).reward(moment, cohort);
    expect(shaped).toEqual({
      rewards_N: [1.5, -0.5, -0.5, -0.5],
      components: { verdict: [1, 0, 0, 0], doubled: [1, 0, 0, 0], lowered: [-0.5, -0.5, -0.5, -0.5] },
    });
  });

  test.each([
    ["rewards_N.slice(1)", "it returned 3 numbers for 4 samples"],
    ["rewards_N.map((r) => r / 0)", 'sample "3/0/0" got Infinity'],
    ["rewards_N.map((r, i) => (i === 2 ? NaN : r))", 'sample "3/1/0" got NaN'],
  ])("refuses %s", async (expression, problem) => {
    const bad = method(await hooked("wrong", `{ reward: { run: (_ctx, _cohort, rewards_N) => ${expression} } }`));
    expect(() => bad.reward(moment, cohort)).toThrow(problem);
  });
});

describe("Method.keep() (chain)", () => {
  test("passes the decision on, starting at keep", async () => {
    const chained = method(
      await hooked(
        "doubting",
        '{ keep: { run: (_ctx, { rewards_G }, decision) => (rewards_G.every((r) => r === 0) ? "resample" : undefined) } }',
      ),
      await hooked(
        "strict",
        '{ keep: { run: (_ctx, _group, decision) => (decision === "resample" ? "drop" : undefined) } }',
      ),
    );
    expect(rewarded.map((group) => chained.keep(moment, PLAN, group))).toEqual(["keep", "drop"]);
    expect(method().keep(moment, PLAN, rewarded[1]!)).toBe("keep");
  });
});

describe("Method.advantages() (first)", () => {
  test("is group-normalised unless a plugin has another", async () => {
    const [plus, minus] = method().advantages(moment, PLAN, rewarded);
    expect(plus).toBeCloseTo(Math.SQRT1_2, 5);
    expect(minus).toBeCloseTo(-Math.SQRT1_2, 5);
    const own = method(
      await hooked("passing", "{ advantage: { run: () => undefined } }"),
      await hooked(
        "ones",
        "{ advantage: { run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => rewards_G.map(() => 1)) } }",
      ),
    );
    expect(own.advantages(moment, PLAN, rewarded)).toEqual([1, 1, 1, 1]);
  });

  test("takes one value for every response token, and refuses another number of them", async () => {
    const perToken = (length: number): Promise<LoadedPlugin> =>
      hooked(
        `per-token-${length}`,
        `{ advantage: { run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => rewards_G.map(() => new Float32Array(${length}))) } }`,
      );
    expect(method(await perToken(5)).advantages(moment, PLAN, rewarded)).toHaveLength(4);
    const bad = method(await perToken(8));
    expect(() => bad.advantages(moment, PLAN, rewarded)).toThrow(
      'sample "3/0/0" got another number of values than it has response tokens',
    );
  });

  test("refuses a NaN in the middle of a sample's tokens", async () => {
    const bad = method(
      await hooked(
        "holes",
        "{ advantage: { run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => rewards_G.map(() => Float32Array.of(1, NaN, 1, 1, 1))) } }",
      ),
    );
    expect(() => bad.advantages(moment, PLAN, rewarded)).toThrow('sample "3/0/0" got NaN');
  });
});

describe("Method.loss() (chain)", () => {
  test("passes spec, token weights and texts on", async () => {
    const loss = method(
      await hooked("clipping", "{ loss: { run: (_ctx, { spec }) => ({ spec: { ...spec, clipHigh: 0.3 } }) } }"),
      await hooked("reading", '{ loss: { run: (_ctx, { spec }) => ({ auxiliaryTexts: ["clip " + spec.clipHigh] }) } }'),
    ).loss(moment, PLAN, PPO, rewarded);
    expect(loss).toEqual({ spec: { ...PPO, clipHigh: 0.3 }, tokenWeights: new Map(), auxiliaryTexts: ["clip 0.3"] });
  });
});

describe("token weights of a loss hook", () => {
  const weighing = (name: string, weights: string): Promise<LoadedPlugin> =>
    hooked(name, `{ loss: { run: () => ({ tokenWeights: new Map([["3/0/1", ${weights}]]) }) } }`);

  test("are one finite number for each response token of the samples that they name", async () => {
    const loss = method(await weighing("fitting", "new Float32Array(5).fill(0.5)")).loss(moment, PLAN, PPO, rewarded);
    expect(loss.tokenWeights.get("3/0/1")).toEqual(new Float32Array(5).fill(0.5));
  });

  test.each(["new Float32Array(6)", "new Float32Array(4)", "Float32Array.of(1, 1, NaN, 1, 1)"])(
    "are refused as %s",
    async (weights) => {
      const bad = method(await weighing("odd", weights));
      expect(() => bad.loss(moment, PLAN, PPO, rewarded)).toThrow(
        'the token weights of sample "3/0/1" are not one finite number for each of its 5 response tokens',
      );
    },
  );
});

describe("Method.observe() (parallel)", () => {
  test("asks everybody, joins the metrics and records events under the plugin's name", async () => {
    const heard: unknown[] = [];
    const listening = new Method({
      seed: 1,
      plugins: [
        await hooked(
          "one",
          '{ observe: { run: (ctx, report) => { ctx.event("seen"); return { "one/step": report.step }; } } }',
        ),
        await hooked("two", "{ observe: { run: () => undefined } }"),
        await hooked(
          "three",
          '{ observe: { run: (_ctx, _report, cohort) => ({ "three/samples": samplesOf(cohort).length }) } }',
        ),
      ],
      states: {},
      onEvent: (...event) => heard.push(event),
      hookDeadlineMs: 10_000,
    });
    expect(listening.observe(moment, report, cohort)).toEqual({ "one/step": 3, "three/samples": 4 });
    expect(heard).toEqual([["one", 3, "seen"]]);
  });
});

describe("Method.states()", () => {
  const counting = (version: string, by: number): PluginSketch => ({
    name: "counting",
    version,
    more: "init: (_config, previous) => previous ?? { count: 0 },",
    hooks: `{ plan: { run: (ctx) => { ctx.state.count += ${by}; return { stage: String(ctx.state.count) }; } } }`,
  });

  test("is what hooks changed, as plain data that starts the next Method", async () => {
    const loaded = await plugin("counting", counting("1.0.0", 1));
    const first = method(loaded, await hooked("stateless", "{}"));
    first.plan(moment, PLAN, undefined);
    first.plan(moment, PLAN, undefined);
    expect(first.states()).toEqual({ counting: { count: 2 }, stateless: null });
    expect(method().with([loaded], first.states()).plan(moment, PLAN, undefined).stage).toBe("3");
  });

  test("comes from dispose where a plugin has one", async () => {
    const loaded = await plugin("disposing", {
      more: "init: (_config, previous) => new Set(previous ?? []), dispose: (state) => [...state],",
      hooks: "{ plan: { run: (ctx) => { ctx.state.add(ctx.step); return undefined; } } }",
    });
    const first = method(loaded);
    first.plan(moment, PLAN, undefined);
    first.plan({ ...moment, step: 4 }, PLAN, undefined);
    expect(first.states()).toEqual({ disposing: [3, 4] });
  });

  test("goes over to another version of the plugin, and the old method stays as it is", async () => {
    const old = method(await plugin("counting", counting("1.0.0", 1)));
    old.plan(moment, PLAN, undefined);
    const next = old.with([await plugin("counting-again", counting("2.0.0", 10))]);
    expect(next.plan(moment, PLAN, undefined).stage).toBe("11");
    expect(next.versions["counting"]).toMatch(/^2\.0\.0\+/);
    expect(old.states()).toEqual({ counting: { count: 1 } });
    expect(old.versions["counting"]).toMatch(/^1\.0\.0\+/);
  });
});

describe("Method.savedStates()", () => {
  test("names who never ends, and saves the states before and after it", async () => {
    const plugins = [
      await plugin("early", { more: "init: () => ({ kept: 1 }),", hooks: "{}" }),
      await plugin("endless", { more: "init: () => 1, dispose: () => { for (;;) {} },", hooks: "{}" }),
      await plugin("late", { more: "init: () => ({ kept: 2 }),", hooks: "{}" }),
    ];
    const one = new Method({ seed: 1, plugins, states: {}, onEvent: () => {}, hookDeadlineMs: 1_000 });
    const { states, failed } = one.savedStates();
    expect(states).toEqual({ early: { kept: 1 }, late: { kept: 2 } });
    expect([...failed]).toEqual([["endless", expect.objectContaining({ code: "HOOK_DEADLINE" })]]);
    expect(() => one.states()).toThrow('"endless"');
  });
});

describe("Method.replaced()", () => {
  test("gives no method while a plugin cannot save its state", async () => {
    const fine = await plugin("fine", { more: "init: () => ({ kept: 1 }),", hooks: "{}" });
    const broken = await plugin("broken", { more: 'dispose: () => { throw new Error("full"); },', hooks: "{}" });
    const { method: made, states, failed } = method(fine, broken).replaced([fine]);
    expect(made).toBeUndefined();
    expect(states).toEqual({ fine: { kept: 1 } });
    expect([...failed.keys()]).toEqual(["broken"]);
  });

  test("throws what the init of a new plugin throws", async () => {
    const old = method(await plugin("old", { hooks: "{}" }));
    const next = await plugin("next", { more: 'init: () => { throw new Error("none"); },', hooks: "{}" });
    expect(() => old.replaced([next])).toThrow(expect.objectContaining({ code: "PLUGIN_STATE_FAILED" }));
  });
});

describe("what hooks return", () => {
  test.each([
    ["groupSize: NaN", 'field "groupSize" is NaN, a whole number of at least 2 is wanted'],
    ['groupSize: "three"', 'field "groupSize" is "three", a whole number of at least 2 is wanted'],
    ["temperature: 0", 'field "temperature" is 0, a number above 0 is wanted'],
    ["learningRate: undefined", 'field "learningRate" is undefined, a number of at least 0 is wanted'],
    ["groupsize: 4", 'there is no field "groupsize", only groupSize, learningRate, maxRounds'],
    [
      "parameters: { wrong: 1 }",
      'field "parameters" is {"wrong":1}, an object of plain data for each plugin is wanted',
    ],
  ])("is refused from plan as { %s }", async (changes, problem) => {
    const bad = method(await hooked("wrong", `{ plan: { run: () => ({ ${changes} }) } }`));
    const start = `Cannot use what hook "plan" of plugin "wrong" 1.0.0 returned at step 3: ${problem}`;
    expect(() => bad.plan(moment, PLAN, undefined)).toThrow(
      expect.objectContaining({ code: "HOOK_RESULT_NOT_VALID", message: expect.stringContaining(start) }),
    );
  });

  test("is refused from plan as something else than an object", async () => {
    const bad = method(await hooked("wrong", '{ plan: { run: () => "faster" } }'));
    expect(() => bad.plan(moment, PLAN, undefined)).toThrow('it is "faster", an object of changed fields');
  });

  test("is refused from keep as another word", async () => {
    const bad = method(await hooked("wrong", '{ keep: { run: () => "perhaps" } }'));
    expect(() => bad.keep(moment, PLAN, rewarded[0]!)).toThrow(
      expect.objectContaining({
        code: "HOOK_RESULT_NOT_VALID",
        message: expect.stringContaining('group "3/0" got "perhaps", one of "keep", "drop", "resample" is wanted'),
      }),
    );
  });

  test.each([
    ['{ "reward/mean": 1 }', 'metric "reward/mean" is in the report already, a name of its own is wanted'],
    ['{ "early/seen": 1 }', 'metric "early/seen" is in the report already, a name of its own is wanted'],
    ['{ "own/share": 0 / 0 }', 'metric "own/share" is NaN, a finite number is wanted'],
    ['{ "own/share": "half" }', 'metric "own/share" is "half", a finite number is wanted'],
  ])("is refused from observe as %s", async (metrics, problem) => {
    const bad = method(
      await hooked("early", '{ observe: { run: () => ({ "early/seen": 1 }) } }'),
      await hooked("wrong", `{ observe: { run: () => (${metrics}) } }`),
    );
    expect(() => bad.observe(moment, report, cohort)).toThrow(
      expect.objectContaining({ code: "HOOK_RESULT_NOT_VALID", message: expect.stringContaining(problem) }),
    );
  });
});
