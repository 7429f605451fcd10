import { describe, expect, test } from "vitest";
import { packLabelled, packTrajectories, type WeighedTrajectory } from "../../../core/src/learn/pack.js";
import type { LossSpec } from "../../../core/src/records/loss-spec.js";
import { ORIGIN, type Trajectory } from "../../../core/src/records/trajectory.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";
import { PPO } from "../numerics/loss-fixtures.js";

/** Three prompt tokens, then `length` sampled ones; tokens and logprobs count on from `from`. */
function trajectory(id: string, length: number, changes: Partial<Trajectory> = {}, from = 10): Trajectory {
  const size = 3 + length;
  return {
    ...makeTrajectory(id, "t", 0, { length }),
    tokens: Int32Array.from({ length: size }, (_, t) => from + t),
    logprobs: Float32Array.from({ length: size }, (_, t) => (t < 3 ? 0 : -t / 8)),
    ...changes,
  };
}

function weighed(one: Trajectory, advantage: number | Float32Array = 1, factors?: Float32Array): WeighedTrajectory {
  return { trajectory: one, advantage, ...(factors ? { factors } : {}) };
}

describe("packTrajectories()", () => {
  test("joins sequences without padding: prompts weigh 0, responses what the aggregation says", () => {
    const batch = packTrajectories([weighed(trajectory("a", 2), 2), weighed(trajectory("b", 3, {}, 20), -1)], PPO);
    expect([...batch.offsets_S1]).toEqual([0, 5, 11]);
    expect([...batch.tokens_N]).toEqual([10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 25]);
    expect([...batch.weights_N]).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1].map((mask) => Math.fround(mask / 5)));
    expect([...batch.advantages_N]).toEqual([0, 0, 0, 2, 2, 0, 0, 0, -1, -1, -1]);
    expect([...batch.behaviourLogprobs_N]).toEqual([0, 0, 0, -3 / 8, -4 / 8, 0, 0, 0, -3 / 8, -4 / 8, -5 / 8]);
    expect(batch).not.toHaveProperty("nextTokenWeights_N");
    expect(batch).not.toHaveProperty("oldLogprobs_N");
  });

  test.each(["observed", "injected"] as const)("gives forced tokens loss, and %s ones none", (kind) => {
    const origins = Uint8Array.of(0, 0, 0, ORIGIN.forced, ORIGIN.sampled, ORIGIN[kind], ORIGIN.sampled);
    const { weights_N } = packTrajectories([weighed(trajectory("a", 4, { origins }))], PPO);
    expect([...weights_N]).toEqual([0, 0, 0, 1, 1, 0, 1].map((mask) => Math.fround(mask / 3)));
  });

  test("makes a sequence of every segment of an episode, and one of all of them for the aggregation", () => {
    // Two prompts of 3 tokens, each with an answer of 2; then a sibling.
    const turns = [
      { role: "prompt", start: 0, end: 3 },
      { role: "policy", start: 3, end: 5 },
      { role: "prompt", start: 5, end: 8 },
      { role: "policy", start: 8, end: 10 },
    ] as const;
    const origins = Uint8Array.of(0, 0, 0, 1, 1, 0, 0, 0, 1, 1);
    const broken = trajectory("a", 7, { turns, origins });
    const spec: LossSpec = { ...PPO, aggregation: "seq-mean-token-mean" };
    const batch = packTrajectories([weighed(broken, 2), weighed(trajectory("b", 2))], spec);
    expect([...batch.offsets_S1]).toEqual([0, 5, 10, 15]);
    const masks = [0, 0, 0, 1, 1, 0, 0, 0, 1, 1].map((mask) => mask / 8);
    expect([...batch.weights_N]).toEqual([...masks, 0, 0, 0, 1 / 4, 1 / 4]);
  });

  test("gives every group the same say when the mean is of groups", () => {
    // A4: groups of 10 and 90 tokens.
    const samples = [
      weighed(trajectory("a", 4, { groupId: "short" })),
      weighed(trajectory("b", 90, { groupId: "long" })),
      weighed(trajectory("c", 6, { groupId: "short" })),
    ];
    const { weights_N, offsets_S1 } = packTrajectories(samples, { ...PPO, aggregation: "group-token-mean" });
    const last = (sequence: number) => weights_N[offsets_S1[sequence + 1]! - 1];
    expect([last(0), last(1), last(2)]).toEqual([1 / 20, 1 / 180, 1 / 20].map(Math.fround));
  });

  test("takes a trajectory cut at its budget out of the mean when the loss masks those", () => {
    const samples = [weighed(trajectory("a", 2)), weighed(trajectory("b", 3, { stopReason: "length" }))];
    const masked = packTrajectories(samples, { ...PPO, maskTruncated: true });
    expect([...masked.weights_N]).toEqual([0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]);
    expect([...masked.advantages_N].slice(5)).toEqual([0, 0, 0, 0, 0, 0]);
    // The ratio's metrics still see what was sampled.
    expect(masked.behaviourLogprobs_N[8]).toBe(-3 / 8);
    expect([...packTrajectories(samples, PPO).weights_N].filter((weight) => weight > 0)).toHaveLength(5);
  });

  test("multiplies the weights by a plugin's factors, after the denominator", () => {
    const factors = Float32Array.of(0, 2);
    const { weights_N } = packTrajectories([weighed(trajectory("a", 2), 1, factors), weighed(trajectory("b", 2))], PPO);
    expect([...weights_N]).toEqual([0, 0, 0, 0, 0.5, 0, 0, 0, 0.25, 0.25]);
  });

  test("lays an advantage for every response token behind the prompt", () => {
    const { advantages_N } = packTrajectories([weighed(trajectory("a", 3), Float32Array.of(1, 2, 3))], PPO);
    expect([...advantages_N]).toEqual([0, 0, 0, 1, 2, 3]);
  });

  test("packs nothing into nothing", () => {
    const batch = packTrajectories([], PPO);
    expect([batch.tokens_N.length, [...batch.offsets_S1]]).toEqual([0, [0]]);
  });
});

describe("packLabelled()", () => {
  test("weighs nothing of what an environment says between the responses", () => {
    const { nextTokenWeights_N } = packLabelled([
      { tokens: Int32Array.of(1, 2, 3, 4, 5, 6), lossFrom: 2, without: [[3, 5]] },
    ]);
    expect([...nextTokenWeights_N!]).toEqual([0, 0, 0.5, 0, 0, 0.5]);
  });

  test("weighs everything from lossFrom on alike, over the whole batch", () => {
    const batch = packLabelled([
      { tokens: Int32Array.of(1, 2, 3, 4), lossFrom: 2 },
      { tokens: Int32Array.of(5, 6, 7), lossFrom: 1 },
    ]);
    expect([...(batch.nextTokenWeights_N ?? [])]).toEqual([0, 0, 0.25, 0.25, 0, 0.25, 0.25]);
    expect([...batch.weights_N]).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test("leaves masked tokens and first tokens out of the mean, and weighs them exactly 0", () => {
    const batch = packLabelled([
      { tokens: Int32Array.of(1, 2, 3, 4, 5), lossFrom: 1, without: [[4, 5]] },
      { tokens: Int32Array.of(6, 7), lossFrom: 0, without: [[1, 2]] },
    ]);
    expect([...(batch.nextTokenWeights_N ?? [])]).toEqual([0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0].map(Math.fround));
    const nothing = packLabelled([{ tokens: Int32Array.of(6, 7), lossFrom: 1, without: [[1, 2]] }]);
    expect([...(nothing.nextTokenWeights_N ?? [])]).toEqual([0, 0]);
  });
});
