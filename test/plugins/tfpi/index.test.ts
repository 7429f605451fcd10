import { describe, expect, it } from "vitest";
import type { StepReport } from "../../../core/src/records/step-report.js";
import { samplingOf } from "../../../core/src/run-plan.js";
import tfpi from "../../../plugins/tfpi/index.js";
import { makeCohort, makeGroup, PLAN, stage } from "../hook-contexts.js";

const QWEN3_4B = {
  stages: [
    { name: "tfpi-1", maxTokens: 4096, steps: 2 },
    { name: "tfpi-2", maxTokens: 8192, steps: 2 },
    { name: "tfpi-3", maxTokens: 16384, steps: 2 },
    { name: "rlvr", maxTokens: 32768, thinkFree: false },
  ],
};

describe("tfpi", () => {
  it("plan() raises the cap by stage and gives up the template at rlvr alone when steps go by", () => {
    const { hooks, driver } = stage(tfpi, QWEN3_4B);
    const plans = Array.from({ length: 8 }, (_, step) => ({
      ...PLAN,
      ...hooks.plan!.run(driver({ step }), PLAN, undefined),
    }));
    expect(plans.map((plan) => plan.maxTokens)).toEqual([4096, 4096, 8192, 8192, 16384, 16384, 32768, 32768]);
    expect(plans.map((plan) => plan.stage)[6]).toBe("rlvr");
    expect(plans.map((plan) => plan.parameters["tfpi"])).toEqual([
      ...Array.from({ length: 6 }, () => ({ thinkFree: true })),
      { thinkFree: false },
      { thinkFree: false },
    ]);
    expect(plans.map((plan) => plan.resetOptimizer)).toEqual([false, false, true, false, true, false, true, false]);
  });

  it("plan() follows shares of progress without drift when steps are coarse", () => {
    const stages = [2048, 4096, 8192].map((maxTokens, i) => ({ name: `s${i}`, maxTokens, share: 0.2 }));
    const { hooks, driver } = stage(tfpi, {
      stages: [...stages, { name: "rlvr", maxTokens: 16384, thinkFree: false }],
    });
    const caps = [0, 0.15, 0.3, 0.45, 0.6, 0.75].map(
      (progress, step) => hooks.plan!.run(driver({ step, progress }), PLAN, undefined)?.maxTokens,
    );
    expect(caps).toEqual([2048, 2048, 4096, 8192, 16384, 16384]);
  });

  it("plan() goes on where it was when its state comes back from a checkpoint", () => {
    const before = stage(tfpi, QWEN3_4B);
    for (let step = 0; step < 3; step++) before.hooks.plan!.run(before.driver({ step }), PLAN, undefined);
    const state = tfpi.init!(before.config, JSON.parse(JSON.stringify(before.state)));
    const caps = [3, 4].map(
      (step) => tfpi.hooks.plan!.run({ ...before.driver({ step }), state }, PLAN, undefined)?.maxTokens,
    );
    expect(caps).toEqual([8192, 16384]);
  });

  it("plan() switches once evaluations are flat when a plateau is set", () => {
    const { hooks, driver, events } = stage(tfpi, {
      stages: [
        { name: "a", maxTokens: 10 },
        { name: "b", maxTokens: 20 },
      ],
      plateau: {},
    });
    const truncated = [0.4, 0.22, 0.12, 0.11, 0.11];
    const accuracy = [0.7, 0.72, 0.73, 0.731, 0.731];
    const names = truncated.flatMap((share, i) => {
      const report = (metrics: StepReport["metrics"]): StepReport => ({
        step: i,
        stage: "a",
        version: i,
        trainTokens: 0,
        metrics,
      });
      const evaluated = report({ "len/truncated": share, "eval/accuracy": accuracy[i]! });
      const quiet = report({ "len/truncated": share });
      return [quiet, evaluated].map((last, j) => hooks.plan!.run(driver({ step: 2 * i + j }), PLAN, last)?.stage);
    });
    expect(names).toEqual([...Array.from({ length: 9 }, () => "a"), "b"]);
    expect(events).toEqual(['stage "b": thinking-free prompts, at most 20 tokens']);
  });

  it("format() closes the think block in thinking-free stages and in its evaluation mode when asked, nowhere else", () => {
    const { hooks, worker } = stage(tfpi, QWEN3_4B);
    const prompt = { messages: [], assistantPrefix: "<|im_start|>assistant\n<think>\n", annotations: { a: 1 } };
    const task = makeGroup("g", []).task;
    const planOf = (thinkFree: boolean) => ({ ...PLAN, parameters: { tfpi: { thinkFree } } });
    const closed = {
      assistantPrefix: "<|im_start|>assistant\n<think>\n\n</think>\n\n",
      annotations: { a: 1, thinkFree: true },
    };
    expect(hooks.format!.run(worker({ plan: planOf(true) }), prompt, task)).toEqual(closed);
    expect(hooks.format!.run(worker({ plan: planOf(false) }), prompt, task)).toBeUndefined();
    expect(hooks.format!.run(worker({ plan: planOf(true), phase: "eval" }), prompt, task)).toBeUndefined();
    expect(hooks.format!.run(worker({ plan: planOf(false), phase: "eval", mode: "thinkfree" }), prompt, task)).toEqual(
      closed,
    );
  });

  it("sampling() decodes by its own settings in its evaluation mode alone", () => {
    const { hooks, worker } = stage(tfpi, { decoding: { temperature: 0.7, topP: 0.8 } });
    const sampling = samplingOf({ ...PLAN, maxTokens: 8, temperature: 0.6, topP: 0.95, topK: 20 });
    const run = (phase: "train" | "eval", mode: string) =>
      hooks.sampling!.run(worker({ phase, mode }), sampling, makeGroup("g", []).task);
    expect(run("eval", "thinkfree")).toEqual({ temperature: 0.7, topP: 0.8 });
    expect(run("eval", "default")).toBeUndefined();
    expect(run("train", "default")).toBeUndefined();
  });

  it("plan() begins with a fresh optimizer when it takes over in the middle of a run, and carries it over when asked to", () => {
    const resets = (settings: object) => {
      const { hooks, driver } = stage(tfpi, { ...QWEN3_4B, ...settings });
      return [5, 6, 7].map((step) => hooks.plan!.run(driver({ step }), PLAN, undefined)?.resetOptimizer);
    };
    expect(resets({})).toEqual([true, false, true]);
    expect(resets({ optimizer: "carried" })).toEqual([false, false, false]);
  });

  it("observe() gives the mean response length of each mode", () => {
    const { hooks, driver } = stage(tfpi, QWEN3_4B);
    const cohort = makeCohort([
      makeGroup("g", [
        { length: 4, annotations: { thinkFree: true } },
        { length: 8, annotations: { thinkFree: true } },
        { length: 30 },
      ]),
    ]);
    const report = { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} };
    expect(hooks.observe!.run(driver(), report, cohort)).toEqual({
      "tfpi/length/thinkfree": 6,
      "tfpi/length/think": 30,
    });
  });

  it("observe() warns once when the literal template opened the block twice", () => {
    const { hooks, driver, worker, events } = stage(tfpi, { ...QWEN3_4B, template: "literal" });
    const prompt = { messages: [], assistantPrefix: "<think>\n", annotations: {} };
    const plan = { ...PLAN, parameters: { tfpi: { thinkFree: true } } };
    const formatted = hooks.format!.run(worker({ plan }), prompt, makeGroup("g", []).task);
    expect(formatted?.annotations).toEqual({ thinkFree: true, doubledThink: true });
    const cohort = makeCohort([
      makeGroup("g", [{ response: "3+4=7\ncheck 3+4=7", annotations: formatted!.annotations! }]),
    ]);
    const report = { step: 0, stage: "", version: 0, trainTokens: 0, metrics: {} };
    for (const step of [0, 1]) {
      expect(hooks.observe!.run(driver({ step }), report, cohort)).toEqual({
        "tfpi/verification/share": 0.5,
        "tfpi/length/thinkfree": 5,
      });
    }
    expect(events).toHaveLength(1);
    expect(events[0]).toContain('open "<think>" twice');
  });

  it("plan() keeps the run's own budget and trains thinking-free throughout when there are no stages", () => {
    const { hooks, driver } = stage(tfpi, {});
    const plans = [0, 0.5, 1].map((progress, step) => hooks.plan!.run(driver({ step, progress }), PLAN, undefined));
    expect(plans).toEqual(plans.map(() => ({ resetOptimizer: false, parameters: { tfpi: { thinkFree: true } } })));
  });

  it("config refuses a stage without length before the last, two lengths at once and too large shares when parsed", () => {
    const parse = (...stages: object[]) =>
      tfpi.config.safeParse({ stages }).error?.issues.map((issue) => issue.message);
    const rest = { name: "b", maxTokens: 9 };
    expect(parse({ name: "a", maxTokens: 9 }, rest)).toEqual([expect.stringContaining('"a" needs share or steps')]);
    expect(parse({ name: "a", maxTokens: 9, share: 0.1, steps: 3 }, rest)).toEqual([expect.stringContaining("both")]);
    expect(parse({ name: "a", maxTokens: 9, share: 0.7 }, { ...rest, share: 0.7 })).toEqual([
      expect.stringContaining("sum to"),
    ]);
    expect(parse({ name: "a", maxTokens: 9, share: 0.1 }, { ...rest, share: 0.9 })).toBeUndefined();
  });
});
