import { describe, expect, test } from "vitest";
import { EVERY_TERM } from "../../gpu/engine-fixtures.js";
import type { Selection } from "../../../core/src/hooks/hooks.js";
import type { Task } from "../../../core/src/records/task.js";
import {
  admits,
  belongs,
  chooseTasks,
  nextToMeasure,
  type TaskWalk,
} from "../../../plugins/curriculum/choose-tasks.js";
import curriculum from "../../../plugins/curriculum/index.js";
import { makeCohort, makeGroup, PLAN, stage } from "../hook-contexts.js";

function taskAt(index: number): Task {
  const domain = index % 2 === 0 ? "math" : "code";
  return { id: `t${index}`, domain, prompt: [], reference: "", meta: { difficulty: index % 5 } };
}

function selection(size: number, count: number): Selection {
  const fact = (index: number, name: string) => taskAt(index).meta[name];
  return { size, count, domains: ["math", "code"], at: taskAt, fact };
}

describe("admits()", () => {
  test.each([
    ["Easy", 14, [0, 3, 6, 7, 11]],
    ["Medium", 10, [0, 3, 6, 7]],
    ["Hard", 6, [0, 3, 6]],
  ])("keeps for %s what was solved at most %i times of 16; what was never tried stays", (_name, most, kept) => {
    const filter = { maxSolved: most / 16, dropMastered: false };
    const counts = [0, 3, 6, 7, 11, 15, 16];
    const measured = Object.fromEntries(counts.map((count) => [`t${count}`, count / 16]));
    const left = counts.filter((count) => admits({ id: `t${count}` }, filter, { measured, trained: {} }, 0));
    expect(left).toEqual(kept);
    expect(admits({ id: "new" }, filter, { measured, trained: {} }, 0)).toBe(true);
  });

  test("drops what every answer of the epoch before solved, and nothing before the end of the first epoch", () => {
    const filter = { maxSolved: undefined, dropMastered: true };
    const known = { measured: {}, trained: { all: 1, most: 7 / 8, none: 0 } };
    const left = (epoch: number) => ["all", "most", "none"].filter((id) => admits({ id }, filter, known, epoch));
    expect([0, 1].map(left)).toEqual([
      ["all", "most", "none"],
      ["most", "none"],
    ]);
  });

  test("trusts what the stage measured before what training saw", () => {
    const filter = { maxSolved: 0.5, dropMastered: false };
    expect(admits({ id: "a" }, filter, { measured: { a: 0.25 }, trained: { a: 1 } }, 0)).toBe(true);
    expect(admits({ id: "a" }, filter, { measured: {}, trained: { a: 1 } }, 0)).toBe(false);
  });
});

describe("belongs()", () => {
  test("never mixes domains, and needs a known difficulty where a range is given", () => {
    const math = { domain: "math", difficulty: undefined };
    expect([0, 1].map((index) => belongs(taskAt(index), math))).toEqual([true, false]);
    const range = { domain: undefined, difficulty: { min: 1, max: 3 } };
    expect([0, 1, 3, 4].map((index) => belongs(taskAt(index), range))).toEqual([false, true, true, false]);
    expect(belongs({ ...taskAt(1), meta: {} }, range)).toBe(false);
  });

  test.each([
    [5, [0, 1, 2, 3, 4, 5]],
    [7, [0, 1, 2, 3, 4, 5, 6, 7]],
  ])("keeps what a teacher failed at most %i times of 8", (max, kept) => {
    const failures = (count: number): Task => ({ ...taskAt(1), meta: { difficulty: count } });
    const left = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((count) =>
      belongs(failures(count), { domain: undefined, difficulty: { max } }),
    );
    expect(left).toEqual(kept);
  });
});

describe("nextToMeasure()", () => {
  test("passes over a stage's tasks once, and fills the last step up with its first ones", () => {
    const isMath = (task: Task): boolean => task.domain === "math";
    const first = nextToMeasure(selection(10, 3), 0, isMath);
    expect(first).toEqual({ indices: [0, 2, 4], next: 6 });
    expect(nextToMeasure(selection(10, 3), first.next, isMath)).toEqual({ indices: [6, 8, 0], next: 10 });
    expect(nextToMeasure(selection(10, 5), 0, isMath)).toEqual({ indices: [0, 2, 4, 6, 8], next: 10 });
    expect(nextToMeasure(selection(2, 3), 0, isMath).indices).toEqual([0]);
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
      ...hooks.plan?.run(driver({ step }), PLAN, undefined),
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
    const plan = { ...PLAN, ...hooks.plan?.run(driver(), PLAN, undefined) };
    const all = hooks.select?.run(driver({ plan }), selection(4, 4)) ?? [];
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
    expect(hooks.observe?.run(driver({ plan }), report, makeCohort(groups))).toMatchObject({
      "curriculum/admitted": 1,
    });
    expect(Object.values(state.trained).map((share) => share.toFixed(6))).toEqual(["0.666667", "0.333333", "0.333333"]);
    expect([...(hooks.select?.run(driver({ plan }), selection(4, 3)) ?? [])].toSorted()).toEqual([1, 2, 3]);
    expect(() => hooks.select?.run(driver({ plan }), selection(4, 4))).toThrow(
      expect.objectContaining({
        code: "STAGE_WITHOUT_TASKS",
        message: expect.stringContaining("solved at most 0.375"),
      }),
    );
  });

  test.each([
    [true, false, true],
    [false, true, false],
    [undefined, true, true],
    [undefined, false, false],
  ])(
    "masks overlong answers where its stage says %s and the run %s: %s; the entropy term is its own",
    (ofStage, ofRun, wanted) => {
      const filterOverlong = ofStage === undefined ? {} : { filterOverlong: ofStage };
      const { hooks, driver } = stage(curriculum, { stages: [{ name: "one", maxTokens: 8, ...filterOverlong }] });
      const plan = { ...PLAN, ...hooks.plan?.run(driver({ step: 1 }), PLAN, undefined) };
      const spec = { ...EVERY_TERM, entropyCoefficient: 0.1, maskTruncated: ofRun };
      const given = { spec, tokenWeights: new Map(), auxiliaryTexts: [] };
      expect(hooks.loss?.run(driver({ plan }), given, [])).toMatchObject({
        spec: { ratio: "token", aggregation: "token-mean", entropyCoefficient: 0, maskTruncated: wanted },
      });
    },
  );

  test("wants every stage to say whether it masks where masked answers leave their group's mean", () => {
    const problems = curriculum.config.safeParse({ stages: [{ name: "one", maxTokens: 8 }], overlongReward: "mean" });
    expect(problems.error?.issues).toMatchObject([{ message: expect.stringContaining('stage "one" leaves') }]);
  });
});

describe("curriculum that measures", () => {
  const settings = {
    stages: [
      { name: "warm", domain: "code", maxTokens: 8, steps: 2 },
      { name: "hard", domain: "math", maxTokens: 16, groupSize: 4, steps: 2, measure: {}, maxSolved: 0.375 },
      { name: "end", maxTokens: 32 },
    ],
  };
  const report = { step: 1, stage: "", version: 1, trainTokens: 0, metrics: {} };

  test("tries every task of a stage 16 times with the policy that it begins with, learns nothing meanwhile, then keeps the hard ones", () => {
    const { hooks, driver, events, state } = stage(curriculum, settings);
    const seen: unknown[][] = [];
    const resets: boolean[] = [];
    for (let step = 1; step <= 8; step++) {
      const plan = { ...PLAN, promptsPerStep: 2, ...hooks.plan!.run(driver({ step }), PLAN, undefined) };
      const at = driver({ step, plan });
      const tasks = hooks.select!.run(at, selection(8, 2))!.map(taskAt);
      const groups = tasks.map((task, g) => {
        // The policy solves what stands at 0 and 4 always, the rest never.
        const verdict = task.id === "t0" || task.id === "t4" ? ("pass" as const) : ("fail" as const);
        return { ...makeGroup(`${step}/${g}`, [{ verdict }, { verdict }]), task };
      });
      const decisions = groups.map((group) => hooks.keep!.run(at, { group, rewards_G: [0, 0] }, "keep"));
      hooks.observe!.run(at, report, makeCohort(groups, plan));
      resets.push(plan.resetOptimizer);
      seen.push([
        plan.stage,
        plan.groupSize,
        tasks
          .map(({ id }) => id)
          .toSorted()
          .join(" "),
        ...new Set(decisions),
      ]);
    }
    expect(seen.slice(2, 4)).toEqual([
      ["hard, measuring", 16, "t0 t2", "drop"],
      ["hard, measuring", 16, "t4 t6", "drop"],
    ]);
    expect(seen.slice(4, 6)).toEqual([
      ["hard", 4, "t2 t6", undefined],
      ["hard", 4, "t2 t6", undefined],
    ]);
    expect(seen.slice(6).map(([name]) => name)).toEqual(["end", "end"]);
    // Fresh where "hard" begins to learn, after its measuring, and at "end".
    expect(resets).toEqual([false, false, true, false, true, false, true, false]);
    expect(state.measured).toEqual({});
    expect(events).toEqual([
      'stage "hard": math, at most 16 tokens',
      'stage "hard": policy version 3 was tried on 4 tasks, of which 2 are left',
      'stage "end": every domain, at most 32 tokens',
    ]);
  });

  test("says that tasks without end cannot be measured", () => {
    const { hooks, driver } = stage(curriculum, { stages: [{ name: "a", maxTokens: 8, measure: {} }] });
    const plan = { ...PLAN, ...hooks.plan!.run(driver({ step: 1 }), PLAN, undefined) };
    expect(() => hooks.select!.run(driver({ step: 1, plan }), selection(Infinity, 2))).toThrow(
      expect.objectContaining({ code: "MEASURE_ENDLESS" }),
    );
  });
});

describe("curriculum on its guard", () => {
  const one = (more: object) => ({ stages: [{ name: "a", domain: "math", maxTokens: 8, ...more }] });

  test("refuses more than one update per batch, of a stage and of the run, unless told otherwise", () => {
    const parsed = curriculum.config.safeParse(one({ updatesPerBatch: 4 }));
    expect(parsed.error?.issues.map(({ message }) => message)).toEqual([
      'stage "a" asks for 4 updates per batch: strictly on-policy is 1; strictlyOnPolicy: false allows more',
    ]);
    const strict = stage(curriculum, one({}));
    expect(() => strict.hooks.plan!.run(strict.driver(), { ...PLAN, updatesPerBatch: 2 }, undefined)).toThrow(
      expect.objectContaining({ code: "UPDATES_TOO_MANY" }),
    );
    const free = stage(curriculum, { ...one({ updatesPerBatch: 4 }), strictlyOnPolicy: false });
    expect(free.hooks.plan!.run(free.driver(), PLAN, undefined)).toMatchObject({ updatesPerBatch: 4 });
  });

  test("refuses before the first step a stage whose domain no task has", () => {
    const { hooks, driver } = stage(curriculum, {
      stages: [
        { name: "a", domain: "math", maxTokens: 8, steps: 1 },
        { name: "b", domain: "proofs", maxTokens: 8 },
      ],
    });
    const plan = { ...PLAN, ...hooks.plan!.run(driver(), PLAN, undefined) };
    expect(() => hooks.select!.run(driver({ plan }), selection(4, 1))).toThrow(
      'Cannot train stage "b" on domain "proofs": the tasks are of "math", "code"',
    );
  });

  test("has a group of another domain sampled again, so that no batch mixes two", () => {
    const { hooks, driver } = stage(curriculum, one({}));
    const plan = { ...PLAN, ...hooks.plan!.run(driver(), PLAN, undefined) };
    const of = (domain: string) => ({ ...makeGroup("g", []), task: { ...taskAt(0), domain } });
    const decide = (domain: string) => hooks.keep!.run(driver({ plan }), { group: of(domain), rewards_G: [] }, "keep");
    expect(["math", "code"].map(decide)).toEqual([undefined, "resample"]);
  });

  test("doubles the group from the middle of a stage on, and carries optimizer moments over where asked to", () => {
    const { hooks, driver } = stage(curriculum, {
      stages: [
        { name: "a", maxTokens: 8, steps: 4, groupSize: { from: 8, to: 16 }, temperature: { from: 0.6, to: 1 } },
        { name: "b", maxTokens: 8 },
      ],
      optimizer: "carried",
    });
    const plans = [1, 2, 3, 4, 5].map((step) => ({ ...PLAN, ...hooks.plan!.run(driver({ step }), PLAN, undefined) }));
    expect(plans.map(({ groupSize }) => groupSize)).toEqual([8, 8, 16, 16, PLAN.groupSize]);
    expect(plans.map(({ temperature }) => Number(temperature.toFixed(4)))).toEqual([0.6, 0.7333, 0.8667, 1, 1]);
    expect(plans.map(({ resetOptimizer }) => resetOptimizer)).toEqual([false, false, false, false, false]);
  });

  test("ramps over what is left of the run when the last stage has no length of its own", () => {
    const { hooks, driver } = stage(curriculum, {
      stages: [
        { name: "a", maxTokens: 8, share: 0.6 },
        { name: "b", maxTokens: 8, groupSize: { from: 8, to: 16 }, temperature: { from: 0.6, to: 1 } },
      ],
    });
    const plans = [0, 0.6, 0.7, 0.8, 1].map((progress, step) => ({
      ...PLAN,
      ...hooks.plan!.run(driver({ step: step + 1, progress }), PLAN, undefined),
    }));
    expect(plans.slice(1).map(({ groupSize }) => groupSize)).toEqual([8, 8, 16, 16]);
    expect(plans.slice(1).map(({ temperature }) => Number(temperature.toFixed(4)))).toEqual([0.6, 0.7, 0.8, 1]);
  });

  test("averages over the batch's tokens, or within each group as the paper writes it", () => {
    const aggregation = (settings: object) => {
      const { hooks, driver } = stage(curriculum, { ...one({}), ...settings });
      const plan = { ...PLAN, ...hooks.plan!.run(driver(), PLAN, undefined) };
      const loss = { spec: EVERY_TERM, tokenWeights: new Map(), auxiliaryTexts: [] };
      return hooks.loss!.run(driver({ plan }), loss, [])?.spec?.aggregation;
    };
    expect([{}, { normaliser: "group" }].map(aggregation)).toEqual(["token-mean", "group-token-mean"]);
  });

  test("takes a masked answer out of its group's mean where asked to", () => {
    const group = makeGroup("g", [{ verdict: "pass" }, { verdict: "fail" }, { verdict: "fail" }]);
    const cut = (index: number) => ({
      ...group,
      samples: group.samples.map((sample, i) =>
        i === index ? { ...sample, trajectory: { ...sample.trajectory, stopReason: "length" as const } } : sample,
      ),
    });
    const rewardsWith = (settings: object) => {
      const { hooks, driver } = stage(curriculum, { ...one({ filterOverlong: true }), ...settings });
      const plan = { ...PLAN, ...hooks.plan!.run(driver(), PLAN, undefined) };
      return hooks.reward!.run(driver({ plan }), makeCohort([cut(2)], plan), [1, 0, 0]);
    };
    expect(rewardsWith({})).toBeUndefined();
    expect(rewardsWith({ overlongReward: "mean" })).toEqual([1, 0, 0.5]);
  });
});
