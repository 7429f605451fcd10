import { describe, expect, it } from "vitest";
import { MismatchAlarm } from "../../../core/src/learn/mismatch-alarm.js";
import { ORIGIN } from "../../../core/src/records/trajectory.js";
import { makeGroup } from "../../plugins/hook-contexts.js";

const ONCE = { updatesPerBatch: 1 };
const group = makeGroup("g", [{}, {}]);
const rewarded = [{ group, rewards_G: [0, 1] }];
const warn = (largest: number) => new MismatchAlarm().check(ONCE, rewarded, { "mismatch/max": largest });

describe("MismatchAlarm.check()", () => {
  it.each([0, 1e-7, 9.9e-6])("says nothing when the largest difference is %d nats", (largest) => {
    expect(warn(largest)).toBeUndefined();
  });

  it("names the difference when a ratio is off by more than 1e-5, and when there is no number at all", () => {
    expect(warn(1.1e-5)).toContain("by up to 0.0000110 nats");
    expect(warn(0.31415)).toContain("by up to 0.314 nats");
    expect(warn(NaN)).toContain("NaN nats");
  });

  it("rings once, and not where the policy may have moved, a plugin set a logprob, or nothing was learned", () => {
    const alarm = new MismatchAlarm();
    const metrics = { "mismatch/max": 1 };
    expect(alarm.check({ updatesPerBatch: 2 }, rewarded, metrics)).toBeUndefined();
    const { trajectory, ...sample } = group.samples[0]!;
    const forced = {
      ...trajectory,
      origins: trajectory.origins.map((origin, t) => (t === 3 ? ORIGIN.forced : origin)),
    };
    const withForced = { group: { ...group, samples: [{ ...sample, trajectory: forced }] }, rewards_G: [0] };
    expect(alarm.check(ONCE, [...rewarded, withForced], metrics)).toBeUndefined();
    expect(alarm.check(ONCE, [], {})).toBeUndefined();
    expect(alarm.check(ONCE, rewarded, metrics)).toContain("1.00 nats");
    expect(alarm.check(ONCE, rewarded, metrics)).toBeUndefined();
  });
});
