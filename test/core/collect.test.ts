import { describe, expect, test } from "vitest";
import { gradable } from "../../core/src/collect.js";
import { runConfigSchema, type RunConfig } from "../../core/src/config/run-config.js";
import type { Group } from "../../core/src/records/group.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { VerdictKind } from "../../core/src/records/verdict.js";
import { makeGroup } from "../plugins/hook-contexts.js";

function config(verify: JsonObject): RunConfig {
  return runConfigSchema.parse({ name: "a", policy: { from: "." }, environment: { use: "b" }, verify });
}

function group(id: string, ...kinds: readonly VerdictKind[]): Group {
  const made = makeGroup(
    id,
    kinds.map((verdict) => ({ verdict })),
  );
  return {
    ...made,
    samples: made.samples.map((sample) => {
      const { score, ...verdict } = sample.verdict;
      const isScored = verdict.kind === "pass" || verdict.kind === "fail";
      return { ...sample, verdict: { ...verdict, ...(isScored && score !== undefined ? { score } : {}) } };
    }),
  };
}

/** Ids of the samples that are left, by group. */
function left(groups: readonly Group[], verify: JsonObject): unknown {
  return gradable(groups, config({ maxErrorRate: 1, ...verify }), 3).groups.map(({ id, samples }) => [
    id,
    samples.map(({ trajectory }) => trajectory.id),
  ]);
}

const groups = [
  group("0", "pass", "fail", "fail"),
  group("1", "pass", "timeout", "fail"),
  group("2", "pass", "infra", "error"),
  group("3", "abstain", "error", "timeout"),
];

describe("gradable()", () => {
  test("takes out samples that may not reach a gradient, and groups with fewer than two others", () => {
    expect(left(groups, {})).toEqual([
      ["0", ["0/0", "0/1", "0/2"]],
      ["1", ["1/0", "1/2"]],
    ]);
    expect(gradable(groups, config({ maxErrorRate: 1 }), 3).ungradable).toBe(6);
  });

  test("takes out whole groups with drop-group", () => {
    expect(left(groups, { onUngradable: "drop-group" })).toEqual([["0", ["0/0", "0/1", "0/2"]]]);
  });

  test("allows exactly the error rate, and stops above it with the first sample as an example", () => {
    const eight = [group("0", "pass", "fail", "pass", "fail"), group("1", "pass", "timeout", "infra", "fail")];
    expect(() => gradable(eight, config({ maxErrorRate: 0.25 }), 3)).not.toThrow();
    expect(() => gradable(eight, config({ maxErrorRate: 0.24 }), 3)).toThrow(
      expect.objectContaining({
        code: "VERIFIER_ERROR_RATE",
        exitCode: 5,
        message:
          'Cannot go on at step 3: verifier "test" gave no gradable verdict on 2 of 8 samples (limit 0.24), for example "1/1": timeout, test',
      }),
    );
  });

  test("says nothing of a step without samples", () => {
    expect(gradable([], config({}), 1)).toEqual({ groups: [], ungradable: 0 });
  });
});
