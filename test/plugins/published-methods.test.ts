import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { planHooks } from "../../core/src/hooks/planner.js";
import { loadPlugin, type LoadedPlugin } from "../../core/src/hooks/plugin-loader.js";
import { tryContract } from "../../core/src/plugin-kit/contract-kit.js";
import type { RewardedGroup } from "../../core/src/hooks/hooks.js";
import { samplingOf } from "../../core/src/run-plan.js";
import { samplesOf } from "../../core/src/records/group.js";
import adaptthink, { adaptAdvantages } from "../../plugins/adaptthink/index.js";
import dler, { batchNormalised } from "../../plugins/dler/index.js";
import l1, { budgetReward } from "../../plugins/l1/index.js";
import shorterbetter, { optimalLength } from "../../plugins/shorterbetter/index.js";
import thinkless, { decoupledWeights } from "../../plugins/thinkless/index.js";
import thinkprune from "../../plugins/thinkprune/index.js";
import { makeCohort, makeGroup, PLAN, stage, type SampleSketch } from "./hook-contexts.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const right = (more: SampleSketch = {}): SampleSketch => ({ verdict: "pass", ...more });
const wrong = (more: SampleSketch = {}): SampleSketch => ({ verdict: "fail", ...more });

function cut(cohort: ReturnType<typeof makeCohort>, index: number): ReturnType<typeof makeCohort> {
  const groups = cohort.groups.map((group) => ({
    ...group,
    samples: group.samples.map((sample, i) =>
      i === index ? { ...sample, trajectory: { ...sample.trajectory, stopReason: "length" as const } } : sample,
    ),
  }));
  return { ...cohort, groups };
}

describe("shorterbetter", () => {
  test("aims at the shortest right answer, or at the mean length where none is right", () => {
    expect(
      optimalLength(makeGroup("a", [right({ length: 300 }), right({ length: 200 }), wrong({ length: 10 })]).samples),
    ).toBe(200);
    expect(optimalLength(makeGroup("b", [wrong({ length: 100 }), wrong({ length: 300 })]).samples)).toBe(200);
  });

  test("pays 2 for a right answer and takes 0.001 for every token beside the aim", () => {
    const { hooks, driver } = stage(shorterbetter, {});
    const cohort = makeCohort([
      makeGroup("a", [right({ length: 300 }), right({ length: 200 }), wrong({ length: 50 })]),
    ]);
    const rewards = hooks.reward?.run(driver(), cohort, [1, 1, 0]) ?? [];
    expect(rewards.map((reward) => Number(reward.toFixed(9)))).toEqual([1.9, 2, -0.15]);
  });
});

describe("l1", () => {
  const sample = (verdict: "pass" | "fail", length: number) =>
    makeGroup("a", [{ verdict, length, annotations: { tokenBudget: 1000 } }]).samples[0]!;

  test("exact: a right answer 500 tokens off loses 0.15; wrong ones lose as much", () => {
    const exact = { variant: "exact", alpha: 0.0003, slope: 0.0006 } as const;
    expect(budgetReward(sample("pass", 1500), exact)).toBeCloseTo(0.85, 12);
    expect(budgetReward(sample("pass", 500), exact)).toBeCloseTo(0.85, 12);
    expect(budgetReward(sample("fail", 1000), exact)).toBeCloseTo(0, 12);
  });

  test("max: 0.5 at the budget, the paper's clip(0.0003 (N - L) + 0.5, 0, 1) around it, 0 for wrong answers", () => {
    const max = { variant: "max", alpha: 0.0003, slope: 0.0006 } as const;
    for (const length of [1, 500, 1000, 1700, 4000]) {
      const paper = Math.min(1, Math.max(0, 0.0003 * (1000 - length) + 0.5));
      expect(budgetReward(sample("pass", length), max)).toBeCloseTo(paper, 12);
      expect(budgetReward(sample("fail", length), max)).toBe(0);
    }
  });

  test("gives every slot of a task the same budget in a step, another one in the next, and the same on every thread", () => {
    const { hooks, driver, worker } = stage(l1, { minTokens: 10, maxTokens: 500 });
    const task = makeGroup("a", [right()]).task;
    const budget = (step: number): unknown => {
      const plan = { ...PLAN, ...hooks.plan?.run(driver({ step }), PLAN, undefined) };
      const prompt = { messages: task.prompt, assistantPrefix: "", annotations: {} };
      const given = [0, 1].map((slot) => hooks.format?.run({ ...worker({ step, plan }), slot }, prompt, task));
      expect(given[0]).toEqual(given[1]);
      const { tokenBudget } = given[0]?.annotations ?? {};
      expect(given[0]?.messages?.at(-1)?.content).toBe(`Q Think for ${tokenBudget} tokens.`);
      return tokenBudget;
    };
    const budgets = Array.from({ length: 20 }, (_, step) => budget(step));
    expect(new Set(budgets).size).toBeGreaterThan(10);
    expect(budgets.every((value) => Number(value) >= 10 && Number(value) <= 500)).toBe(true);
  });

  test("refuses a range that is empty", () => {
    expect(l1.config.safeParse({ minTokens: 9, maxTokens: 8 }).success).toBe(false);
  });
});

describe("thinkprune", () => {
  test("says the stage's budget in the prompt and pays nothing for what is cut at it", () => {
    const settings = {
      stages: [
        { name: "4k", maxTokens: 40, steps: 2 },
        { name: "3k", maxTokens: 30 },
      ],
    };
    const { hooks, driver, worker, events } = stage(thinkprune, settings);
    const plans = [1, 2, 3].map((step) => ({ ...PLAN, ...hooks.plan?.run(driver({ step }), PLAN, undefined) }));
    expect(plans.map(({ stage: name, maxTokens, resetOptimizer }) => [name, maxTokens, resetOptimizer])).toEqual([
      ["4k", 40, false],
      ["4k", 40, false],
      ["3k", 30, true],
    ]);
    expect(events).toEqual(['stage "3k": at most 30 tokens']);
    const task = makeGroup("a", [right()]).task;
    const prompt = { messages: task.prompt, assistantPrefix: "", annotations: {} };
    const formatted = hooks.format?.run(worker({ plan: plans[2]! }), prompt, task);
    expect(formatted?.messages?.[0]).toEqual({ role: "system", content: "Think and answer within 30 tokens." });
    const cohort = cut(makeCohort([makeGroup("a", [right(), right(), wrong()])]), 1);
    expect(hooks.reward?.run(driver(), cohort, [1, 1, 0])).toEqual([1, 0, 0]);
  });
});

describe("dler", () => {
  test("centres by group and normalises by the batch", () => {
    // c = ±0.5 twice and ±0.005 twice: a nearly settled group no longer weighs as much as a mixed one.
    const advantages = batchNormalised([
      [1, 0],
      [1, 0.99],
    ]);
    expect(advantages[0]! / advantages[2]!).toBeCloseTo(100, 6);
    const mean = advantages.reduce((sum, value) => sum + value, 0);
    expect(mean).toBeCloseTo(0, 12);
    const variance = advantages.reduce((sum, value) => sum + value ** 2, 0) / 3;
    expect(variance).toBeCloseTo(1, 4);
  });

  test("scores 0 past the truncation length, by difficulty where it is told", () => {
    const { hooks, driver } = stage(dler, { truncation: 10, byDifficulty: { "3": 30 } });
    const sketches = [right({ length: 10 }), right({ length: 11 }), right({ length: 31 })];
    const cohort = makeCohort([makeGroup("a", sketches), makeGroup("b", sketches, { difficulty: 3 })]);
    expect(hooks.reward?.run(driver(), cohort, [1, 1, 1, 1, 1, 1])).toEqual([1, 0, 0, 1, 1, 0]);
    expect(hooks.reward?.run(driver(), cut(makeCohort([makeGroup("a", [right({ length: 5 })])]), 0), [1])).toEqual([0]);
  });

  test("samples again in place of groups with one reward", () => {
    const { hooks, driver } = stage(dler, {});
    const group = makeGroup("a", [right(), right()]);
    expect(hooks.keep?.run(driver(), { group, rewards_G: [0, 0] }, "keep")).toBe("resample");
    expect(hooks.keep?.run(driver(), { group, rewards_G: [1, 0] }, "keep")).toBe("keep");
  });
});

describe("thinkless", () => {
  test("rewards short and right 1, thinking and right 0.5, wrong -1", () => {
    const { hooks, driver, worker } = stage(thinkless, {});
    const sketches = [
      right({ response: "<short>4" }),
      right({ response: "<think>2+2\n</think>4" }),
      wrong({ response: "<short>5" }),
      right({ response: "4" }),
    ];
    const group = makeGroup("a", sketches);
    const annotated = {
      ...group,
      samples: group.samples.map((sample) => {
        const annotations = hooks.annotate?.run(worker(), sample.trajectory, group.task) ?? {};
        return { ...sample, trajectory: { ...sample.trajectory, annotations } };
      }),
    };
    const cohort = makeCohort([annotated]);
    expect(samplesOf(cohort).map(({ trajectory }) => trajectory.annotations["thinklessMode"])).toEqual([
      "short",
      "think",
      "short",
      "neither",
    ]);
    expect(hooks.reward?.run(driver(), cohort, [1, 1, 0, 1])).toEqual([1, 0.5, -1, 0.5]);
    expect(
      hooks.observe?.run(driver(), { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} }, cohort),
    ).toEqual({
      "thinkless/think_rate": 0.25,
      "thinkless/neither_rate": 0.25,
    });
  });

  test("weighs the control tokens alpha / S and every other token 1 / (T - S)", () => {
    const groups: readonly RewardedGroup[] = [
      { group: makeGroup("a", [right({ length: 4 }), right({ length: 6 })]), rewards_G: [1, 0] },
    ];
    const weights = [...decoupledWeights(groups, 0.1).values()];
    const T = 10;
    const asMean = weights.map((factors) => [...factors].map((factor) => factor / T));
    for (const [first, ...rest] of asMean) {
      expect(first).toBeCloseTo(0.1 / 2, 7);
      for (const weight of rest) expect(weight).toBeCloseTo(1 / 8, 7);
    }
  });

  test("lets the policy write the tag", () => {
    const { hooks, worker } = stage(thinkless, {});
    const task = makeGroup("a", [right()]).task;
    const prompt = { messages: task.prompt, assistantPrefix: "<|a|>\n<think>\n", annotations: {} };
    expect(hooks.format?.run(worker(), prompt, task)).toEqual({ assistantPrefix: "<|a|>\n" });
  });
});

describe("adaptthink", () => {
  const settings = { referenceByDifficulty: { "1": 0.8 } };

  test("forces half of each group into each mode, at behaviour probability 1/2, in training alone", () => {
    const { hooks, worker } = stage(adaptthink, { ...settings, noThinkMaxTokens: 16 });
    const task = makeGroup("a", [right()]).task;
    const prompt = { messages: task.prompt, assistantPrefix: "<think>\n", annotations: {} };
    const plan = { ...PLAN, groupSize: 4 };
    const forced = [0, 1, 2, 3].map((slot) => hooks.format?.run({ ...worker({ plan }), slot }, prompt, task));
    expect(forced.map((given) => given?.forcedPrefix?.text)).toEqual(["</think>", "</think>", "Okay", "Okay"]);
    expect(forced.every((given) => given?.forcedPrefix?.logprob === Math.log(0.5))).toBe(true);
    expect(hooks.format?.run(worker({ plan, phase: "eval" }), prompt, task)).toBeUndefined();
    const sampling = samplingOf(plan);
    expect([0, 2].map((slot) => hooks.sampling?.run({ ...worker({ plan }), slot }, sampling, task))).toEqual([
      { maxTokens: 16 },
      undefined,
    ]);
  });

  test("takes advantages against the starting policy's accuracy: no mean, no deviation", () => {
    const forced = (mode: string, verdict: "pass" | "fail"): SampleSketch => ({
      verdict,
      annotations: { forcedMode: mode },
    });
    const group = makeGroup("a", [forced("no-think", "pass"), forced("no-think", "fail"), forced("think", "pass")], {
      difficulty: 1,
    });
    const { config } = stage(adaptthink, settings);
    const advantages = adaptAdvantages({ group, rewards_G: [1, 0, 1] }, config);
    expect(advantages.map((value) => Number(value.toFixed(9)))).toEqual([0.25, -0.75, 0.2]);
    const own = makeGroup("b", [forced("think", "pass")], { referenceAccuracy: 0.5 });
    expect(adaptAdvantages({ group: own, rewards_G: [1] }, config)).toEqual([0.5]);
    expect(() => adaptAdvantages({ group: makeGroup("c", [right()]), rewards_G: [1] }, config)).toThrow(
      expect.objectContaining({ code: "REFERENCE_ACCURACY_MISSING" }),
    );
  });
});

const SETTINGS: Readonly<Record<string, unknown>> = {
  curriculum: { stages: [{ name: "all", maxTokens: 32 }] },
  adaptthink: { referenceByDifficulty: { "1": 0.9, "2": 0.7, "3": 0.5 } },
};
const METHODS = [
  "curriculum",
  "tfpi",
  "autothink",
  "adaptthink",
  "thinkless",
  "thinkprune",
  "shorterbetter",
  "dler",
  "l1",
  "rmt",
];
const OBJECTIVES = ["grpo", "dapo", "dr-grpo", "rloo", "reinforce-plus-plus"];
const ALL = [...METHODS, ...OBJECTIVES];

describe.each(ALL)("%s", (name) => {
  test("keeps every promise of the hook contract", async () => {
    const results = await tryContract(name, ROOT, { with: SETTINGS[name] });
    expect(results.filter(({ isKept }) => !isKept)).toEqual([]);
  });

  test("is one file under 300 lines", () => {
    expect(
      readFileSync(new URL(`../../plugins/${name}/index.ts`, import.meta.url), "utf8").split("\n").length,
    ).toBeLessThan(300);
  });
});

/** Pairs that cannot work together, with what both of them decide. */
const CLASHES: Readonly<Record<string, string>> = {
  "curriculum tfpi": "plan.stage",
  "curriculum autothink": "plan.stage",
  "curriculum thinkprune": "plan.stage",
  "tfpi autothink": "prompt.assistantPrefix",
  "tfpi adaptthink": "prompt.mode",
  "tfpi thinkless": "prompt.assistantPrefix",
  "tfpi thinkprune": "plan.stage",
  "autothink adaptthink": "prompt.mode",
  "autothink thinkless": "prompt.assistantPrefix",
  "autothink thinkprune": "plan.stage",
  "autothink shorterbetter": "reward.base",
  "autothink l1": "reward.base",
  "adaptthink thinkless": "prompt.mode",
  "adaptthink dler": "advantage",
  "thinkless shorterbetter": "reward.base",
  "thinkless l1": "reward.base",
  "thinkless dler": "advantage",
  "thinkprune l1": "prompt.lengthTarget",
  "shorterbetter l1": "reward.base",
  "curriculum rmt": "select",
  "autothink rmt": "reward.base",
  "thinkless rmt": "reward.base",
  "thinkprune rmt": "prompt.lengthTarget",
  "shorterbetter rmt": "reward.base",
  "l1 rmt": "prompt.lengthTarget",
};
const OWN_OBJECTIVE = ["adaptthink", "thinkless", "dler", ...OBJECTIVES];

describe("every pair of plugins", () => {
  test("works together, or is refused before the run with what both decide", async () => {
    const loaded = new Map<string, LoadedPlugin>();
    for (const name of ALL) loaded.set(name, await loadPlugin(name, SETTINGS[name] ?? {}, ROOT));
    const seen: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const [i, first] of ALL.entries()) {
      for (const second of ALL.slice(i + 1)) {
        const pair = `${first} ${second}`;
        const clash =
          CLASHES[pair] ?? (OWN_OBJECTIVE.includes(first) && OWN_OBJECTIVE.includes(second) ? "advantage" : "");
        expected[pair] = clash;
        seen[pair] = "";
        try {
          planHooks([first, second].map((name) => loaded.get(name)!.plugin));
        } catch (error) {
          seen[pair] = /both write "([^"]+)"/.exec(String(error))?.[1] ?? String(error);
        }
      }
    }
    expect(seen).toEqual(expected);
  });
});
