import { describe, expect, it } from "vitest";
import { MismatchAlarm } from "../../../core/src/learn/mismatch-alarm.js";
import { comparableTokens, measuredMismatch } from "../../../core/src/learn/measured-mismatch.js";
import type { Batch } from "../../../core/src/records/batch.js";
import { ORIGIN, type Trajectory } from "../../../core/src/records/trajectory.js";
import { makeGroup } from "../../plugins/hook-contexts.js";

const group = makeGroup("g", [{}, {}]);
const rewarded = [{ group, rewards_G: [0, 1] }];
const trajectory = group.samples[0]!.trajectory;
const warn = (largest: number) => new MismatchAlarm().check({ "mismatch/same/max": largest });

function with3rdForced(one: Trajectory): Trajectory {
  return { ...one, origins: one.origins.map((origin, t) => (t === 3 ? ORIGIN.forced : origin)) };
}

describe("MismatchAlarm.check()", () => {
  it.each([0, 1e-7, 9.9e-6])("says nothing when the largest difference is %d nats", (largest) => {
    expect(warn(largest)).toBeUndefined();
  });

  it("names the difference when a ratio is off by more than 1e-5, and when there is no number at all", () => {
    expect(warn(1.1e-5)).toContain("by up to 0.0000110 nats");
    expect(warn(0.31415)).toContain("by up to 0.314 nats");
    expect(warn(NaN)).toContain("NaN nats");
  });

  it("rings once, and not where nothing was compared", () => {
    const alarm = new MismatchAlarm();
    expect(alarm.check({ "mismatch/max": 1, "mismatch/measured": 0 })).toBeUndefined();
    expect(alarm.check({ "mismatch/same/max": 1 })).toContain("1.00 nats");
    expect(alarm.check({ "mismatch/same/max": 1 })).toBeUndefined();
  });
});

describe("MismatchAlarm.silence()", () => {
  it("says once why a run's first update compared nothing, and nothing where it did", () => {
    const [sample] = group.samples;
    const forced = { group: { ...group, samples: [{ ...sample!, trajectory: with3rdForced(trajectory) }] } };
    const nothing = { "mismatch/measured": 0 };
    const alarm = new MismatchAlarm();
    // A step without an update has no share.
    expect(alarm.silence({}, rewarded)).toBeUndefined();
    expect(alarm.silence(nothing, [...rewarded, { ...forced, rewards_G: [0] }])).toContain("plugins force tokens");
    expect(alarm.silence(nothing, rewarded)).toBeUndefined();
    expect(new MismatchAlarm().silence(nothing, rewarded)).toContain("earlier versions");
    expect(new MismatchAlarm().silence({ "mismatch/measured": 0.1 }, rewarded)).toBeUndefined();
  });
});

describe("comparableTokens()", () => {
  it("gives the tokens that the version drew: no prompt, no forced one, no other version's", () => {
    const length = trajectory.tokens.length;
    const crossing = {
      ...with3rdForced(trajectory),
      versions: [
        { version: 6, start: 0, end: 5 },
        { version: 7, start: 5, end: length },
      ],
    };
    const drawn = (one: Trajectory, from: number, to: number): number[] =>
      [...one.origins].map((origin, t) => (origin === ORIGIN.sampled && t >= from && t < to ? 1 : 0));
    expect([...comparableTokens([crossing, crossing], 7)]).toEqual([
      ...drawn(crossing, 5, length),
      ...drawn(crossing, 5, length),
    ]);
    expect([...comparableTokens([crossing], 6)]).toEqual(drawn(crossing, 0, 5));
    expect(comparableTokens([crossing], 6)[3]).toBe(0);
    expect([...comparableTokens([crossing], 5)]).not.toContain(1);
  });
});

describe("measuredMismatch()", () => {
  const batch = (old: readonly number[] | undefined, weights: readonly number[] = [0, 1, 1, 1]): Batch => ({
    tokens_N: Int32Array.of(1, 2, 3, 4),
    offsets_S1: Int32Array.of(0, 4),
    weights_N: Float32Array.from(weights),
    advantages_N: new Float32Array(4),
    behaviourLogprobs_N: Float32Array.of(0, -1, -2, -3),
    ...(old ? { oldLogprobs_N: Float32Array.from(old) } : {}),
  });
  const all = Uint8Array.of(0, 1, 1, 1);
  const first = Uint8Array.of(0, 1, 0, 0);

  it("compares the comparable tokens of every batch that was scored before the updates", () => {
    // The largest difference lies at a token that an older version drew, or a plugin forced.
    const scored = [batch([9, -1, -7, -9]), batch([9, -1.25, -2, -3])];
    expect(measuredMismatch(scored, [first, all], 99)).toEqual({
      "mismatch/measured": 4 / 6,
      "mismatch/same/max": 0.25,
    });
    expect(measuredMismatch([batch([0, NaN, 0, 0])], [first], 0)["mismatch/same/max"]).toBeNaN();
  });

  it("takes the first update's own difference where nothing was scored and all its tokens are comparable", () => {
    const two = [batch(undefined), batch(undefined)];
    expect(measuredMismatch(two, [all, all], 0.5)).toEqual({ "mismatch/measured": 0.5, "mismatch/same/max": 0.5 });
    expect(measuredMismatch(two, [first, all], 0.5)).toEqual({ "mismatch/measured": 0 });
    // What is masked is not learned from, whoever drew it.
    expect(measuredMismatch([batch(undefined, [0, 1, 0, 0])], [first], 0)).toEqual({
      "mismatch/measured": 1,
      "mismatch/same/max": 0,
    });
    expect(measuredMismatch([batch(undefined, [0, 0, 0, 0])], [all], 0)).toEqual({ "mismatch/measured": 0 });
  });
});
