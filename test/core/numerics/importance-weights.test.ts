import { describe, expect, it } from "vitest";
import { importanceWeights } from "../../../core/src/numerics/importance-weights.js";
import type { LossSpec } from "../../../core/src/records/loss-spec.js";

type Importance = NonNullable<LossSpec["importance"]>;

// O6: the learner's logprobs -0.5, -1.2 against the sampler's -1.5, -1.0.
function weigh(importance: Importance, weights = [1, 1], old = [-0.5, -1.2], behaviour = [-1.5, -1]) {
  const { values_N, isOutside_N } = importanceWeights({
    importance,
    offsets_S1: Int32Array.of(0, old.length),
    weights_N: Float32Array.from(weights),
    oldLogprobs_N: Float32Array.from(old),
    behaviourLogprobs_N: Float32Array.from(behaviour),
  });
  return { values: [...values_N], outside: [...isOutside_N] };
}

const truncate: Importance = { level: "token", outside: "truncate", low: 0.5, high: 2 };

describe("importanceWeights()", () => {
  it("caps each token's ratio when the level is token", () => {
    expect(weigh({ ...truncate, high: 9 }).values[0]).toBeCloseTo(2.7183, 4);
    const { values, outside } = weigh(truncate);
    expect(values[0]).toBe(2);
    expect(values[1]).toBeCloseTo(0.8187, 4);
    expect(outside).toEqual([1, 0]);
  });

  it("caps one ratio for all tokens when the level is sequence", () => {
    expect(weigh({ ...truncate, level: "sequence", high: 9 }).values[1]).toBeCloseTo(2.2255, 4);
    expect(weigh({ ...truncate, level: "sequence" }).values).toEqual([2, 2]);
  });

  it("takes the mean log ratio when the level is geometric", () => {
    const { values } = weigh({ ...truncate, level: "geometric" });
    expect(values[0]).toBeCloseTo(1.4918, 4);
    expect(values[1]).toBe(values[0]);
  });

  it("gives 0 outside both bounds when outside is mask", () => {
    const mask: Importance = { level: "token", outside: "mask", low: 0.9, high: 2 };
    expect(weigh(mask)).toEqual({ values: [0, 0], outside: [1, 1] });
    expect(weigh({ ...mask, low: 0.5 }).values[1]).toBeCloseTo(0.8187, 4);
    expect(weigh({ ...mask, level: "geometric", low: 0.999, high: 1.001 }).values).toEqual([0, 0]);
  });

  it("has no lower bound when outside is truncate", () => {
    expect(weigh({ ...truncate, low: 0.99 }).values[1]).toBeCloseTo(0.8187, 4);
  });

  it.each(["token", "sequence", "geometric"] as const)(
    "gives exactly 1 when logprobs agree and level is %s",
    (level) => {
      for (const outside of ["truncate", "mask"] as const) {
        expect(weigh({ level, outside, low: 0.999, high: 1.001 }, [1, 1], [-0.3, -2], [-0.3, -2]).values).toEqual([
          1, 1,
        ]);
      }
    },
  );

  it("leaves masked tokens out of a sequence's ratio when their weight is 0", () => {
    const { values } = weigh({ ...truncate, level: "sequence" }, [0, 1]);
    expect(values[0]).toBe(0);
    expect(values[1]).toBeCloseTo(0.8187, 4);
  });

  it("stays finite when a sequence's log ratio is huge", () => {
    const { values } = weigh({ ...truncate, level: "sequence", high: Infinity }, [1, 1], [0, 0], [-800, -800]);
    expect(values[0]).toBe(Math.exp(20));
  });
});
