import { describe, expect, test } from "vitest";
import { runConfigSchema, type RunConfig } from "../../core/src/config/run-config.js";
import type { JsonObject } from "../../core/src/records/json.js";
import { basePlan, evaluationSampling, lossSpec, progressOf, samplingOf } from "../../core/src/run-plan.js";

function config(changes: JsonObject): RunConfig {
  return runConfigSchema.parse({ name: "a", policy: { from: "." }, environment: { use: "b" }, ...changes });
}

describe("progressOf()", () => {
  test.each([
    [{ steps: 10 }, { step: 0, trainTokens: 0 }, 0],
    [{ steps: 10 }, { step: 5, trainTokens: 1e9 }, 0.5],
    [{ steps: 10, tokenBudget: 1000 }, { step: 2, trainTokens: 900 }, 0.9],
    [{ steps: 10, tokenBudget: 1000 }, { step: 8, trainTokens: 100 }, 0.8],
    [{ steps: 10, tokenBudget: 1000 }, { step: 3, trainTokens: 1200 }, 1],
    [{ steps: 0 }, { step: 0, trainTokens: 0 }, 1],
  ])("of %j at %j is %d", (train, state, wanted) => {
    expect(progressOf(config({ train }), state)).toBe(wanted);
  });
});

describe("basePlan()", () => {
  test("raises the learning rate over the warm-up", () => {
    const warming = config({ train: { learningRate: 0.4, warmupSteps: 4 } });
    expect([1, 2, 4, 5].map((step) => basePlan(warming, { step: step, progress: 0 }).learningRate)).toEqual([
      0.1, 0.2, 0.4, 0.4,
    ]);
    expect(basePlan(config({ train: { learningRate: 0.4 } }), { step: 1, progress: 0 }).learningRate).toBe(0.4);
  });

  test("says what the config says", () => {
    expect(
      basePlan(config({ train: { groupSize: 3, promptsPerStep: 5 }, rollout: { maxTokens: 9, temperature: 0.7 } }), {
        step: 1,
        progress: 0,
      }),
    ).toMatchObject({
      stage: "main",
      groupSize: 3,
      promptsPerStep: 5,
      maxTokens: 9,
      temperature: 0.7,
      resetOptimizer: false,
      parameters: {},
    });
  });
});

describe("sampling", () => {
  const both = config({ rollout: { maxTokens: 9, temperature: 0.7, topP: 0.9, topK: 5 }, eval: { temperature: 0 } });

  test("in training is the plan's", () => {
    expect(samplingOf(basePlan(both, { step: 1, progress: 0 }))).toEqual({
      maxTokens: 9,
      temperature: 0.7,
      topP: 0.9,
      topK: 5,
      minP: 0,
      logitBias: {},
      stopStrings: [],
      budgetRules: [],
    });
  });

  test("in evaluation has its own temperature and budget, and truncates nothing", () => {
    expect(evaluationSampling(both)).toEqual({
      maxTokens: 9,
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      logitBias: {},
      stopStrings: [],
      budgetRules: [],
    });
    expect(evaluationSampling(config({ eval: { maxTokens: 30 } })).maxTokens).toBe(30);
  });
});

describe("lossSpec()", () => {
  test("takes the temperature and the token budget of the plan, and null as no dual clip", () => {
    const plain = config({ loss: { clipHigh: 0.3 }, rollout: { temperature: 0.7, maxTokens: 9 } });
    expect(lossSpec(plain, basePlan(plain, { step: 1, progress: 0 }))).toMatchObject({
      clipLow: 0.2,
      clipHigh: 0.3,
      dualClip: Infinity,
      temperature: 0.7,
      normConstant: 9,
      aggregation: "token-mean",
      importance: null,
    });
    expect(lossSpec(config({ loss: { dualClip: 3 } }), basePlan(plain, { step: 1, progress: 0 })).dualClip).toBe(3);
  });
});
