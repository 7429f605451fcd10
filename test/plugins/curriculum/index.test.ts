import { describe, expect, test } from "vitest";
import { EVERY_TERM } from "../../gpu/engine-fixtures.js";
import type { Selection } from "../../../core/src/hooks/hooks.js";
import { groupTokenMeanWeights } from "../../../core/src/numerics/token-weights.js";
import type { Task } from "../../../core/src/records/task.js";
import curriculum, { groupFactors } from "../../../plugins/curriculum/index.js";
import { admits, chooseTasks, type TaskWalk } from "../../../plugins/curriculum/choose-tasks.js";
import { makeCohort, makeGroup, PLAN, stage } from "../hook-contexts.js";

const ANY = { domain: undefined, difficulty: undefined, maxSolved: undefined };

function taskAt(index: number): Task {
  const domain = index % 2 === 0 ? "math" : "code";
  return { id: `t${index}`, domain, prompt: [], reference: "", meta: { difficulty: index % 5 } };
}

function selection(size: number, count: number): Selection {
  return { size, count, at: taskAt };
}

describe("admits()", () => {
  test("drops what was solved more than 6 times of 16; unknown and unsolved tasks stay", () => {
    const hard = { ...ANY, maxSolved: 0.375 };
    const shares = [undefined, 0, 6 / 16, 7 / 16, 1];
    expect(shares.map((share) => admits(taskAt(0), hard, share))).toEqual([true, true, true, false, false]);
  });

  test("never mixes domains, and needs a known difficulty where a range is given", () => {
    expect([0, 1].map((index) => admits(taskAt(index), { ...ANY, domain: "math" }, undefined))).toEqual([true, false]);
    const range = { ...ANY, difficulty: { min: 1, max: 3 } };
    expect([0, 1, 3, 4].map((index) => admits(taskAt(index), range, undefined))).toEqual([false, true, true, false]);
    expect(admits({ ...taskAt(1), meta: {} }, range, undefined)).toBe(false);
  });
});

describe("chooseTasks()", () => {
  const walk = (): TaskWalk => ({ taken: 0, epoch: 0, key: 7, isFinite: false });

  test("visits every task once an epoch, each epoch in another order", () => {
    const at = walk();
    const epochs = [0, 1].map(() =>
      Array.from({ length: 5 }, () => chooseTasks(selection(20, 4), at, () => true).indices).flat(),
    );
    for (const epoch of epochs)
      expect(epoch.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  test("takes an endless taskset in its own order, and stops looking some time", () => {
    const endless = selection(Infinity, 3);
    expect(chooseTasks(endless, walk(), (task) => task.domain === "math").indices).toEqual([0, 2, 4]);
    expect(chooseTasks(endless, walk(), () => false)).toEqual({ indices: [], looked: 3000 });
  });
});

describe("curriculum", () => {
  const settings = {
    stages: [
      { name: "math-short", domain: "math", maxTokens: 8, steps: 2, groupSize: 8, filterOverlong: true },
      {
        name: "math-hard",
        domain: "math",
        maxTokens: 24,
        steps: 3,
        groupSize: 16,
        maxSolved: 0.375,
        temperature: { from: 0.6, to: 1 },
      },
      { name: "code", domain: "code", maxTokens: 32, learningRate: 5e-6 },
    ],
  };

  test("lengthens, hardens and changes domain stage by stage, with one update a batch", () => {
    const { hooks, driver, events } = stage(curriculum, settings);
    const plans = [1, 2, 3, 4, 5, 6].map((step) => ({
      ...PLAN,
      ...hooks.plan?.run(driver({ step }), { ...PLAN, updatesPerBatch: 4 }, undefined),
    }));
    expect(plans.map(({ stage: name, maxTokens }) => [name, maxTokens])).toEqual([
      ["math-short", 8],
      ["math-short", 8],
      ["math-hard", 24],
      ["math-hard", 24],
      ["math-hard", 24],
      ["code", 32],
    ]);
    expect(plans.map(({ updatesPerBatch }) => updatesPerBatch)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(plans.slice(2, 5).map(({ temperature }) => Number(temperature.toFixed(6)))).toEqual([0.6, 0.8, 1]);
    expect(plans[5]).toMatchObject({ learningRate: 5e-6, resetOptimizer: true });
    expect(events).toEqual(['stage "math-hard": math, at most 24 tokens', 'stage "code": code, at most 32 tokens']);
  });

  test("drops what the policy mastered, and says when nothing is left", () => {
    const { hooks, driver, state } = stage(curriculum, { stages: [{ name: "hard", maxTokens: 8, maxSolved: 0.375 }] });
    const all = hooks.select?.run(driver(), selection(4, 4)) ?? [];
    expect([...all].toSorted()).toEqual([0, 1, 2, 3]);
    const groups = [0, 1, 2].map((index) => {
      const group = makeGroup(`g${index}`, [
        { verdict: "pass" },
        { verdict: index === 0 ? "pass" : "fail" },
        { verdict: "fail" },
      ]);
      return { ...group, task: { ...group.task, id: `t${index}` } };
    });
    const report = { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} };
    expect(hooks.observe?.run(driver(), report, makeCohort(groups))).toMatchObject({ "curriculum/admitted": 1 });
    expect(Object.values(state.solved).map((share) => share.toFixed(6))).toEqual(["0.666667", "0.333333", "0.333333"]);
    expect([...(hooks.select?.run(driver(), selection(4, 3)) ?? [])].toSorted()).toEqual([1, 2, 3]);
    expect(() => hooks.select?.run(driver(), selection(4, 4))).toThrow(
      expect.objectContaining({
        code: "STAGE_WITHOUT_TASKS",
        message: expect.stringContaining("solved at most 0.375"),
      }),
    );
  });

  test("masks overlong answers in the stages that say so, and turns the entropy term off", () => {
    const { hooks, driver } = stage(curriculum, settings);
    hooks.plan?.run(driver({ step: 1 }), PLAN, undefined);
    const spec = { ...EVERY_TERM, entropyCoefficient: 0.1 };
    expect(hooks.loss?.run(driver(), { spec, tokenWeights: new Map(), auxiliaryTexts: [] }, [])).toMatchObject({
      spec: { ratio: "token", aggregation: "token-mean", entropyCoefficient: 0, maskTruncated: true },
    });
  });
});

describe("groupFactors()", () => {
  test("gives, on a token mean, the weights of the paper's form", () => {
    const lengths = [
      [2, 3],
      [5, 10],
    ];
    const groups = lengths.map((of, g) => ({
      group: makeGroup(
        `g${g}`,
        of.map((length) => ({ length })),
      ),
      rewards_G: of.map(() => 0),
    }));
    const offsets = [0, 2, 5, 10, 20];
    const expected = groupTokenMeanWeights(new Float32Array(20).fill(1), offsets, [0, 0, 1, 1]);
    const factors = [...groupFactors(groups).values()].flatMap((values) => [...values]);
    for (const [token, factor] of factors.entries()) expect(factor / 20).toBeCloseTo(expected[token]!, 7);
  });
});
