import { describe, expect, it } from "vitest";
import type { LossPlan } from "../../core/src/hooks/hooks.js";
import type { Plugin } from "../../core/src/hooks/plugin.js";
import dapo from "../../plugins/dapo/index.js";
import drGrpo from "../../plugins/dr-grpo/index.js";
import grpo from "../../plugins/grpo/index.js";
import reinforcePlusPlus from "../../plugins/reinforce-plus-plus/index.js";
import rloo from "../../plugins/rloo/index.js";
import { PPO } from "../core/numerics/loss-fixtures.js";
import { makeCohort, makeGroup, PLAN, stage } from "./hook-contexts.js";

const LOSS: LossPlan = {
  spec: { ...PPO, clipLow: 0.1, clipHigh: 0.1 },
  tokenWeights: new Map(),
  auxiliaryTexts: [],
};

/** Advantages that a plugin gives to groups of these rewards and lengths. */
function advantagesOf<C, S>(plugin: Plugin<C, S>, settings: object, rewards_P_G: number[][], lengths_P_G?: number[][]) {
  const { hooks, driver } = stage(plugin, settings);
  const groups = rewards_P_G.map((rewards_G, p) => ({
    group: makeGroup(
      String(p),
      rewards_G.map((_, i) => ({ length: lengths_P_G?.[p]?.[i] ?? 1 })),
    ),
    rewards_G,
  }));
  return (hooks.advantage!.run(driver(), groups) ?? []).map((value) =>
    typeof value === "number" ? value : [...value],
  );
}

function specOf<C, S>(plugin: Plugin<C, S>, settings: object = {}) {
  const { hooks, driver } = stage(plugin, settings);
  return hooks.loss!.run(driver(), LOSS, [])?.spec;
}

const close = (actual: readonly (number | number[])[], wanted: readonly number[], digits = 4): void => {
  const flat = actual.flat();
  expect(flat).toHaveLength(wanted.length);
  wanted.forEach((value, i) => expect(flat[i]).toBeCloseTo(value, digits));
};

describe("grpo", () => {
  it("advantage() gives the worked values when one of four or five of eight are right", () => {
    close(advantagesOf(grpo, {}, [[1, 0, 0, 0]]), [1.5, -0.5, -0.5, -0.5]);
    close(advantagesOf(grpo, { std: "population" }, [[1, 0, 0, 0]]), [1.73205, -0.57735, -0.57735, -0.57735]);
    const right = Array.from({ length: 5 }, () => 0.7246);
    const wrong = Array.from({ length: 3 }, () => -1.2076);
    close(advantagesOf(grpo, {}, [[1, 1, 1, 1, 1, 0, 0, 0]]), [...right, ...wrong]);
    close(advantagesOf(grpo, {}, [[1, 1, 1, 1, 1, -1, -1, -1]]), [...right, ...wrong]);
    expect(advantagesOf(grpo, {}, [[1, 1, 1]])).toEqual([0, 0, 0]);
  });

  it("loss() averages within answers first and clips alike on both sides when settings are the defaults", () => {
    expect(specOf(grpo)).toEqual({ ...LOSS.spec, aggregation: "seq-mean-token-mean", clipLow: 0.2, clipHigh: 0.2 });
  });
});

describe("dr-grpo", () => {
  it("advantage() centres only when rewards differ", () => {
    close(advantagesOf(drGrpo, {}, [[1, 0]]), [0.5, -0.5], 12);
  });

  it("loss() divides token sums by the step's token budget, or by the constant when one is set", () => {
    expect(specOf(drGrpo)).toMatchObject({ aggregation: "seq-mean-token-sum-norm", normConstant: PLAN.maxTokens });
    expect(specOf(drGrpo, { normConstant: 16 })).toMatchObject({ normConstant: 16 });
  });
});

describe("rloo", () => {
  it("advantage() compares with the mean of the others when one of four is right", () => {
    close(advantagesOf(rloo, {}, [[1, 0, 0, 0]]), [1, -1 / 3, -1 / 3, -1 / 3], 12);
  });
});

describe("reinforce-plus-plus", () => {
  it("advantage() whitens returns over the batch when answers have one token each", () => {
    close(advantagesOf(reinforcePlusPlus, {}, [[1, 0, 1, 1]]), [0.5, -1.5, 0.5, 0.5]);
  });

  it("advantage() discounts the outcome towards the first token when the discount is below 1", () => {
    const [first, second] = advantagesOf(reinforcePlusPlus, { discount: 0.5 }, [[1, 0]], [[2, 2]]);
    // Returns 0.5, 1, 0, 0: mean 0.375, sample deviation 0.4787.
    close([first!, second!], [0.2611, 1.3056, -0.7833, -0.7833]);
  });

  it("advantage() with baseline centres in each group before it whitens when lengths agree or differ", () => {
    const baseline = { baseline: true };
    close(
      advantagesOf(reinforcePlusPlus, baseline, [
        [1, 0],
        [1, 1],
      ]),
      [1.2247, -1.2247, 0, 0],
    );
    const [a, b, c, d] = advantagesOf(
      reinforcePlusPlus,
      baseline,
      [
        [1, 0],
        [1, 1],
      ],
      [
        [1, 3],
        [2, 2],
      ],
    );
    const times = (value: number, count: number): number[] => Array.from({ length: count }, () => value);
    close([a!, b!, c!, d!], [1.7678, ...times(-1.0607, 3), ...times(0.3536, 2), ...times(0.3536, 2)]);
  });
});

describe("dapo", () => {
  it("loss() clips higher upwards and averages over all tokens when settings are the defaults", () => {
    expect(specOf(dapo)).toEqual({ ...LOSS.spec, aggregation: "token-mean", clipLow: 0.2, clipHigh: 0.28 });
  });

  it("reward() takes off the soft overlong punishment when a buffer is set, and nothing by default", () => {
    const plan = { ...PLAN, maxTokens: 20480 };
    const lengths = [16384, 17408, 18432, 20480, 20481];
    const cohort = makeCohort(
      [
        makeGroup(
          "g",
          lengths.map((length) => ({ length })),
        ),
      ],
      plan,
    );
    const rewards = lengths.map(() => 1);
    const { hooks, driver } = stage(dapo, { overlongBuffer: 4096 });
    expect(hooks.reward!.run(driver({ plan }), cohort, rewards)).toEqual([1, 0.75, 0.5, 0, 0]);
    const plain = stage(dapo, {});
    expect(plain.hooks.reward!.run(plain.driver({ plan }), cohort, rewards)).toBeUndefined();
  });

  it("reward() gives wrong answers what wrongReward says, before any punishment", () => {
    const cohort = makeCohort([makeGroup("g", [{ verdict: "pass" }, { verdict: "fail" }])]);
    const { hooks, driver } = stage(dapo, { wrongReward: -1 });
    expect(hooks.reward!.run(driver(), cohort, [1, 0])).toEqual([1, -1]);
    close(advantagesOf(dapo, { wrongReward: -1 }, [[1, -1]]), [0.70711, -0.70711]);
  });

  const groupWith = (correct: number) =>
    makeGroup(
      `c${correct}`,
      Array.from({ length: 8 }, (_, i) => ({ verdict: i < correct ? ("pass" as const) : ("fail" as const) })),
    );

  it("keep() needs one more round and then has four groups of 32 answers when 0, 8, 3, 8, 1, 7 and then 4, 5 are right", () => {
    const { hooks, driver } = stage(dapo, {});
    const decide = (correct: number) => hooks.keep!.run(driver(), { group: groupWith(correct), rewards_G: [] }, "keep");
    const kept = [0, 8, 3, 8, 1, 7].filter((correct) => decide(correct) === "keep");
    expect(kept).toEqual([3, 1, 7]);
    expect([0, 8].map(decide)).toEqual(["resample", "resample"]);
    const batch = [...kept, ...[4, 5].filter((correct) => decide(correct) === "keep")].slice(0, 4);
    expect(batch).toEqual([3, 1, 7, 4]);
    expect(batch.flatMap((correct) => groupWith(correct).samples)).toHaveLength(32);
  });

  it("keep() drops an all-correct group when shaping has told its rewards apart", () => {
    const { hooks, driver } = stage(dapo, {});
    const rewards_G = [1.1, 1.2, 0.9, 1, 1, 1, 1, 1];
    expect(hooks.keep!.run(driver(), { group: groupWith(8), rewards_G }, "keep")).toBe("resample");
  });

  it("keep() leaves decisions alone when dynamic sampling is off or another plugin dropped the group", () => {
    const off = stage(dapo, { dynamicSampling: false });
    expect(off.hooks.keep!.run(off.driver(), { group: groupWith(8), rewards_G: [] }, "keep")).toBeUndefined();
    const on = stage(dapo, {});
    expect(on.hooks.keep!.run(on.driver(), { group: groupWith(3), rewards_G: [] }, "drop")).toBeUndefined();
  });
});
