import { describe, expect, it } from "vitest";
import type { Group } from "../../../core/src/records/group.js";
import type { StepPlan } from "../../../core/src/records/step-plan.js";
import autothink from "../../../plugins/autothink/index.js";
import grpo from "../../../plugins/grpo/index.js";
import { makeCohort, makeGroup, makeTrajectory, PLAN, stage, type SampleSketch } from "../hook-contexts.js";

const PREFIX = "<|im_start|>assistant\n<think>\n...\n";
const STAGES = [
  { name: "balance", maxTokens: 64, share: 0.3, gamma: 0.5, promptsPerStep: 8, updatesPerBatch: 2 },
  { name: "accuracy", maxTokens: 128, share: 0.5 },
  { name: "brevity", maxTokens: 192, alpha: 0.05, beta: 0.05 },
];

const SKETCHES: Readonly<Record<string, SampleSketch>> = {
  TC: { prefix: PREFIX, response: "2+2=4\n</think>\n\n\\boxed{4}", verdict: "pass" },
  TW: { prefix: PREFIX, response: "2+2=5\n</think>\n\n\\boxed{5}", verdict: "fail" },
  NC: { prefix: PREFIX, response: "</think>\n\n\\boxed{4}", verdict: "pass" },
  NW: { prefix: PREFIX, response: "</think>\n\n\\boxed{5}", verdict: "fail" },
};
const groupOf = (id: string, ...cells: string[]): Group =>
  makeGroup(
    id,
    cells.map((cell) => SKETCHES[cell]!),
  );
const planWith = (parameters: StepPlan["parameters"][string]): StepPlan => ({
  ...PLAN,
  parameters: { autothink: parameters },
});
const BALANCED = planWith({ gamma: 0.5, alpha: 0, beta: 0 });

/** Rewards of one cohort under a plan, with the settings of a run. */
function rewardsOf(groups: readonly Group[], plan: StepPlan, settings: object = {}): readonly number[] | undefined {
  const { hooks, driver } = stage(autothink, { stages: STAGES, ...settings });
  return hooks.reward!.run(driver({ plan }), makeCohort(groups, plan), []);
}

describe("autothink", () => {
  it("format() renders the ellipsis prompt in training and in its evaluation mode alike, and in no other", () => {
    const { hooks, worker } = stage(autothink, { stages: STAGES });
    const prompt = { messages: [], assistantPrefix: "<|im_start|>assistant\n<think>\n", annotations: {} };
    const task = groupOf("g").task;
    expect(hooks.format!.run(worker(), prompt, task)).toEqual({ assistantPrefix: PREFIX });
    expect(hooks.format!.run(worker({ phase: "eval", mode: "adaptive" }), prompt, task)).toEqual({
      assistantPrefix: PREFIX,
    });
    expect(hooks.format!.run(worker({ phase: "eval" }), prompt, task)).toBeUndefined();
  });

  it.each([
    ["</think>\n\nIt is \\boxed{4}.", "pass", false, 2],
    ["</think>\n\nIt is \\boxed{5}.", "fail", false, -1],
    ["Okay ... </think>\n\n\\boxed{4}", "pass", true, 1],
    ["Okay ... </think>\n\n\\boxed{5}", "fail", true, 0],
    ["Okay ... \\boxed{4}", "fail", true, 0],
    ["</think>\n\nno box", "fail", false, -1],
    ["</think>\n\\boxed{4}", "pass", true, 1],
  ] as const)("annotate() and reward() judge %j when its verdict is %s", (response, verdict, think, wanted) => {
    const { hooks, worker } = stage(autothink, { stages: STAGES });
    const sketch = { prefix: PREFIX, response, verdict };
    expect(hooks.annotate!.run(worker(), makeTrajectory("t", "task", 0, sketch), groupOf("g").task)).toMatchObject({
      think,
    });
    const plan = planWith({ gamma: null, alpha: 0, beta: 0 });
    expect(rewardsOf([makeGroup("g", [sketch])], plan)).toEqual([wanted]);
  });

  it("reward() follows the options when detection is lenient or format errors are free", () => {
    const plan = planWith({ gamma: null, alpha: 0, beta: 0 });
    const oneNewline = makeGroup("g", [{ prefix: PREFIX, response: "</think>\n\\boxed{4}", verdict: "pass" }]);
    expect(rewardsOf([oneNewline], plan, { detection: "lenient" })).toEqual([2]);
    const noBox = makeGroup("g", [{ prefix: PREFIX, response: "</think>\n\nno box" }]);
    expect(rewardsOf([noBox], plan, { formatErrorReward: 0 })).toEqual([0]);
  });

  it("reward() compares lengths within each mode, and looks for repetition in the problem too, where asked to", () => {
    const sketch = (cell: string, length: number) => ({ ...SKETCHES[cell]!, length });
    const group = makeGroup("g", [sketch("NC", 10), sketch("TC", 100), sketch("TC", 300)]);
    const plan = planWith({ gamma: null, alpha: 0.05, beta: 0 });
    const both = rewardsOf([group], plan)!;
    const apart = rewardsOf([group], plan, { lengthPool: "per-mode" })!;
    expect(both[0]).toBeGreaterThan(2);
    expect(apart[0]).toBe(2);
    expect(apart[1]).toBeCloseTo(Math.exp(0.05 / Math.SQRT2), 12);
    const long = makeGroup("g", [{ ...SKETCHES["NW"]!, prefix: `${"7".repeat(120)} ${PREFIX}` }]);
    const naive = planWith({ gamma: null, alpha: 0, beta: 0 });
    expect(rewardsOf([long], naive)).toEqual([-1]);
    expect(rewardsOf([long], naive, { degenerationGuard: "prompt-and-response" })).toEqual([-2]);
  });

  it("reward() gives -2 to degenerate wrong answers without thinking alone when the guard is on", () => {
    const plan = planWith({ gamma: null, alpha: 0, beta: 0 });
    const text = "so ".repeat(12);
    const group = makeGroup("g", [
      { prefix: PREFIX, response: `</think>\n\n${text}` },
      { prefix: PREFIX, response: `${text}</think>\n\n\\boxed{5}` },
    ]);
    expect(rewardsOf([group], plan)).toEqual([-2, 0]);
    expect(rewardsOf([group], plan, { degenerationGuard: "off" })).toEqual([-1, 0]);
  });

  it("reward() and grpo's advantage() give the worked numbers when the cohort's think share is 0.75", () => {
    const groups = [groupOf("A", "TC", "TC", "TW", "NC"), groupOf("B", "TW", "TW", "TC", "NW")];
    const rewards = rewardsOf(groups, BALANCED)!;
    expect(rewards).toEqual([0.5, 0.5, -0.5, 2, -0.5, -0.5, 0.5, -1]);
    const { hooks, driver } = stage(grpo, {});
    const rewarded = groups.map((group, i) => ({ group, rewards_G: rewards.slice(4 * i, 4 * i + 4) }));
    const advantages = hooks.advantage!.run(driver(), rewarded) ?? [];
    [-0.121268, -0.121268, -1.091409, 1.333945, -0.19868, -0.19868, 1.390757, -0.993398].forEach((wanted, i) =>
      expect(advantages[i]).toBeCloseTo(wanted, 6),
    );
  });

  it("reward() takes the think share of all groups together when each alone has another", () => {
    const mixed = groupOf("A", "TC", "TW", "NC", "NW");
    const rest = groupOf("B", "TC", "TC", "TC", "TC");
    const rewards = rewardsOf([mixed, rest], BALANCED)!;
    expect(rewards.slice(0, 4)).toEqual([0.5, -0.5, 2, -1]);
    // Groups without any contrast count too, as nothing is filtered before.
    expect(rewardsOf([mixed], BALANCED)).toEqual([1, 0, 2, -1]);
    const { hooks, driver } = stage(grpo, {});
    const advantagesOf = (rewards_G: readonly number[]) =>
      hooks.advantage!.run(driver(), [{ group: mixed, rewards_G }]);
    [0.188982, -0.566946, 1.322875, -0.94491].forEach((wanted, i) =>
      expect(advantagesOf(rewards.slice(0, 4))?.[i]).toBeCloseTo(wanted, 6),
    );
    [0.387298, -0.387298, 1.161894, -1.161894].forEach((wanted, i) =>
      expect(advantagesOf([1, 0, 2, -1])?.[i]).toBeCloseTo(wanted, 6),
    );
  });

  it("reward() gives nothing for nothing when the cohort is empty, and refuses a plan it did not make", () => {
    expect(rewardsOf([], BALANCED)).toEqual([]);
    expect(() => rewardsOf([groupOf("A", "TC")], PLAN)).toThrow(/Cannot shape rewards as the plan of step 0/);
  });

  it("plan() switches cap, batch, balance and length reward at stage borders when progress goes by", () => {
    const { hooks, driver, events } = stage(autothink, { stages: STAGES });
    const plans = [0, 0.29, 0.3, 0.79, 0.8, 1].map((progress, step) => ({
      ...PLAN,
      ...hooks.plan!.run(driver({ step, progress }), PLAN, undefined),
    }));
    expect(plans.map((plan) => plan.stage)).toEqual([
      "balance",
      "balance",
      "accuracy",
      "accuracy",
      "brevity",
      "brevity",
    ]);
    expect(plans.map((plan) => plan.maxTokens)).toEqual([64, 64, 128, 128, 192, 192]);
    expect(plans.map((plan) => plan.promptsPerStep)).toEqual([8, 8, 4, 4, 4, 4]);
    expect(plans.map((plan) => plan.updatesPerBatch)).toEqual([2, 2, 1, 1, 1, 1]);
    expect(plans.map((plan) => plan.resetOptimizer)).toEqual([false, false, true, false, true, false]);
    expect(plans.map((plan) => plan.parameters["autothink"]).filter((_, i) => i % 2 === 0)).toEqual([
      { gamma: 0.5, alpha: 0, beta: 0 },
      { gamma: null, alpha: 0, beta: 0 },
      { gamma: null, alpha: 0.05, beta: 0.05 },
    ]);
    expect(events).toHaveLength(2);
  });

  it("plan() stays in the second stage to the end when the third is left out", () => {
    const { hooks, driver } = stage(autothink, { stages: STAGES.slice(0, 2) });
    expect(hooks.plan!.run(driver({ progress: 0 }), PLAN, undefined)?.stage).toBe("balance");
    expect(hooks.plan!.run(driver({ step: 9, progress: 1 }), PLAN, undefined)?.stage).toBe("accuracy");
  });

  it("plan() keeps the run's own budget and the naive reward throughout when there are no stages", () => {
    const { hooks, driver } = stage(autothink, {});
    const parameters = { autothink: { gamma: null, alpha: 0, beta: 0 } };
    expect(hooks.plan!.run(driver({ progress: 0.5 }), PLAN, undefined)).toEqual({ resetOptimizer: false, parameters });
  });

  it("observe() reports think share by difficulty and lengths by mode when both modes are there", () => {
    const { hooks, driver } = stage(autothink, { stages: STAGES });
    const sketch = (cell: string, length: number, answerTokens: number) => ({
      ...SKETCHES[cell]!,
      length,
      annotations: { answerTokens },
    });
    const cohort = makeCohort([
      makeGroup("easy", [sketch("NC", 4, 3), sketch("NW", 8, 7)], { difficulty: 1 }),
      makeGroup("hard", [sketch("TC", 40, 4), sketch("NW", 6, 5)], { difficulty: 5 }),
    ]);
    const report = { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} };
    expect(hooks.observe!.run(driver({ step: 1 }), report, cohort)).toEqual({
      "autothink/accuracy/all": 0.5,
      "autothink/length/all": 14.5,
      "autothink/answer_length/all": 4.75,
      "autothink/think_rate/all": 0.25,
      "autothink/think_rate/difficulty_1": 0,
      "autothink/think_rate/difficulty_5": 0.5,
      "autothink/accuracy/think": 1,
      "autothink/length/think": 40,
      "autothink/answer_length/think": 4,
      "autothink/accuracy/nothink": expect.closeTo(1 / 3, 12),
      "autothink/length/nothink": 6,
      "autothink/answer_length/nothink": 5,
    });
  });

  it("observe() warns once when one mode is gone for the set number of steps in a row", () => {
    const { hooks, driver, events } = stage(autothink, { stages: STAGES, collapse: { steps: 3 } });
    const report = { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} };
    const observe = (...cells: string[]) => hooks.observe!.run(driver(), report, makeCohort([groupOf("g", ...cells)]));
    for (const cells of [["TC"], ["TW"], ["TC", "NC"], ["NC"], ["NW"]]) observe(...cells);
    expect(events).toEqual([]);
    observe("NC");
    observe("NC");
    expect(events).toEqual(["warning: think rate 0.000 after 3 steps at an extreme; one mode is dying out"]);
  });
});
