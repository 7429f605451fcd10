import { describe, expect, test } from "vitest";
import { collect, fillPlaces, gradable, type CollectOrder } from "../../core/src/collect.js";
import { runConfigSchema, type RunConfig } from "../../core/src/config/run-config.js";
import type { Group } from "../../core/src/records/group.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { VerdictKind } from "../../core/src/records/verdict.js";
import type { KeepDecision } from "../../core/src/hooks/hooks.js";
import { rewardedGroups } from "../../core/src/hooks/method.js";
import type { RunParts } from "../../core/src/run-parts.js";
import { Stopwatch } from "../../core/src/stopwatch.js";
import { makeGroup, PLAN } from "../plugins/hook-contexts.js";

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

describe("fillPlaces()", () => {
  /** Ids of what is kept, and what stays open; one letter a group: keep, drop, resample. */
  function filled(letters: string, room: number, first: number): unknown {
    const words: Readonly<Record<string, KeepDecision>> = { k: "keep", d: "drop", r: "resample" };
    const rewarded = rewardedGroups(
      [...letters].map((_, index) => makeGroup(String(index), [{}, {}])),
      [...letters].flatMap(() => [0, 0]),
    );
    const decisions = [...letters].map((letter) => words[letter] ?? "keep");
    const { kept, open } = fillPlaces(rewarded, decisions, room, first);
    return [kept.map(({ group }) => group.id).join(""), open];
  }

  test("leaves open what this round asks to sample again, never what is dropped", () => {
    expect(filled("kkkk", 4, 0)).toEqual(["0123", 0]);
    expect(filled("kkdr", 4, 0)).toEqual(["01", 1]);
    expect(filled("kddd", 4, 0)).toEqual(["0", 0]);
    // The next round of the second: one of its two groups fills the place, so the drop before it stays unfilled.
    expect(filled("kkdrkr", 3, 4)).toEqual(["014", 0]);
    expect(filled("kkdrrr", 3, 4)).toEqual(["01", 1]);
    expect(filled("kkdrdd", 3, 4)).toEqual(["01", 0]);
  });

  test("keeps no more than there is room for", () => {
    expect(filled("kkdrkk", 3, 4)).toEqual(["014", 0]);
  });
});

describe("collect()", () => {
  const made = makeGroup("3/0", [{ verdict: "pass" }, { verdict: "fail" }]);
  const trajectories = made.samples.map(({ trajectory }) => ({
    ...trajectory,
    versions: [{ version: 2, start: 0, end: trajectory.tokens.length }],
  }));
  // Of all parts only those that collect() asks.
  const parts = {
    plugins: { hold: () => ({ key: "0", release: () => {} }) },
    rollouts: { rollOut: async () => [trajectories] },
    verifiers: { verify: async () => made.samples.map(({ verdict }) => ({ verdict, annotations: {} })) },
  } as unknown as RunParts;
  const sampling = {
    maxTokens: 8,
    temperature: 1,
    topP: 1,
    topK: 0,
    minP: 0,
    logitBias: {},
    stopStrings: [],
    budgetRules: [],
  };
  const asked = (oldest: number, phase: "train" | "eval", watch?: Stopwatch): Promise<readonly Group[]> => {
    const groups = [{ id: made.id, task: made.task, size: 2 }];
    const order: CollectOrder = { step: 3, phase, mode: "default", plan: PLAN, sampling, groups, version: 2, oldest };
    return collect(parts, config({}), order, new AbortController().signal, watch);
  };

  test("refuses a training sample of an older version than is allowed", async () => {
    await expect(asked(2, "train")).resolves.toHaveLength(1);
    await expect(asked(2, "eval")).resolves.toHaveLength(1);
    await expect(asked(3, "train")).rejects.toMatchObject({
      code: "SAMPLE_NOT_LIVE",
      message: 'Cannot train on sample "3/0/0" at step 3: it is of policy version 2, one of 3 to 2 is wanted',
    });
  });

  test("laps rollout and verification apart", async () => {
    const watch = new Stopwatch();
    await asked(2, "train", watch);
    await asked(2, "train", watch);
    expect(Object.keys(watch.laps())).toEqual(["time/generate", "time/verify", "time/step"]);
  });
});
