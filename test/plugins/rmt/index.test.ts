import { describe, expect, test } from "vitest";
import type { Selection } from "../../../core/src/hooks/hooks.js";
import { packLabelled } from "../../../core/src/learn/pack.js";
import { groupAdvantages } from "../../../core/src/numerics/advantages.js";
import { policyLoss } from "../../../core/src/numerics/policy-loss.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import type { Group } from "../../../core/src/records/group.js";
import type { StepReport } from "../../../core/src/records/step-report.js";
import type { Task } from "../../../core/src/records/task.js";
import rmt from "../../../plugins/rmt/index.js";
import { compositeReward, lengthReward } from "../../../plugins/rmt/rewards.js";
import { thinkBudget } from "../../../plugins/rmt/think-budget.js";
import { drawTasks, indexTiers, overPresent, TIERS, tierShares, type Curriculum } from "../../../plugins/rmt/tiers.js";
import { EVERY_TERM } from "../../gpu/engine-fixtures.js";
import { makeCohort, makeGroup, PLAN, stage, type SampleSketch } from "../hook-contexts.js";

// Worked numbers: the RMT specification, R1 to R4 and R6. R5 is the environment's.
const SCHEDULE = { initial: 800, factor: 0.2, min: 1, exponent: 1 };
const CURRICULUM: Curriculum = { from: 0.3, to: 0.7, early: [0.6, 0.3, 0.1], late: [0.1, 0.3, 0.6] };
const MOMENTS = [0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.75, 1];
const SPEC = { ...EVERY_TERM, temperature: 1, entropyCoefficient: 0, klCoefficient: 0, importance: null };

describe("thinkBudget()", () => {
  test("falls from 800 to exactly 160, by floor", () => {
    expect(MOMENTS.map((t) => thinkBudget(t, SCHEDULE))).toEqual([800, 681, 534, 493, 357, 259, 239, 160]);
    expect(thinkBudget(1, { ...SCHEDULE, min: 200 })).toBe(200);
  });

  test("is whole and never rises", () => {
    const budgets = Array.from({ length: 1001 }, (_, i) => thinkBudget(i / 1000, SCHEDULE));
    expect(budgets.every((budget, i) => Number.isInteger(budget) && budget <= (budgets[i - 1] ?? Infinity))).toBe(true);
  });
});

describe("lengthReward()", () => {
  test.each([
    [800, [0, 200, 400, 800, 1000, 1200, 1600, 1601], [0, 0.25, 0.5, 1, 0.75, 0.5, 0, 0]],
    [160, [80, 160, 188, 240, 320, 400], [0.5, 1, 0.825, 0.5, 0, 0]],
  ])("is a triangle around a budget of %d", (budget, lengths, rewards) => {
    for (const [i, length] of lengths.entries()) expect(lengthReward(length, budget, 1)).toBeCloseTo(rewards[i]!, 12);
  });
});

describe("compositeReward()", () => {
  test("weighs hit and length", () => {
    const of = (match: number, length: number): number => compositeReward(match, lengthReward(length, 800, 1), 0.2);
    const found = [of(1, 800), of(1, 400), of(0, 800), of(1, 1700), of(0, 0)];
    for (const [i, reward] of [1, 0.9, 0.2, 0.8, 0].entries()) expect(found[i]).toBeCloseTo(reward, 12);
    const advantages = groupAdvantages([1, 0.9, 0.2, 0]);
    for (const [i, value] of [0.951585, 0.751252, -0.651085, -1.051752].entries())
      expect(advantages[i]).toBeCloseTo(value, 5);
  });

  test("never lets a miss beat a hit: settings that would are refused", () => {
    for (const lengthWeight of [0.1, 0.2, 0.49]) {
      expect(compositeReward(1, 0, lengthWeight)).toBeGreaterThan(compositeReward(0, 1, lengthWeight));
      expect(rmt.config.safeParse({ lengthWeight }).success).toBe(true);
    }
    expect(rmt.config.safeParse({ lengthWeight: 0.5 }).success).toBe(false);
    expect(rmt.config.safeParse({ lengthWeight: 0.4, maxLengthReward: 2 }).success).toBe(false);
  });
});

describe("tierShares()", () => {
  test.each([
    [0, [0.6, 0.3, 0.1]],
    [0.3, [0.6, 0.3, 0.1]],
    [0.4, [0.475, 0.3, 0.225]],
    [0.5, [0.35, 0.3, 0.35]],
    [0.6, [0.225, 0.3, 0.475]],
    [0.7, [0.1, 0.3, 0.6]],
    [1, [0.1, 0.3, 0.6]],
  ])("mixes early and late shares at t/T = %d", (progress, wanted) => {
    const shares = tierShares(progress, CURRICULUM);
    for (const [i, share] of wanted.entries()) expect(shares[i]).toBeCloseTo(share, 12);
    expect(shares[0] + shares[1] + shares[2]).toBeCloseTo(1, 12);
  });

  test("changes at once where both moments are one", () => {
    const sudden = { ...CURRICULUM, from: 0.5, to: 0.5 };
    expect([0.49, 0.5].map((progress) => tierShares(progress, sudden)[0])).toEqual([0.6, 0.1]);
  });
});

describe("overPresent()", () => {
  test("keeps the proportions of the tiers that have tasks", () => {
    expect(overPresent([0.6, 0.3, 0.1], [true, false, true])).toEqual([0.6 / 0.7, 0, expect.closeTo(0.1 / 0.7, 12)]);
    expect(overPresent([0, 1, 0], [true, false, true])).toEqual([0.5, 0, 0.5]);
  });
});

/** Tasks whose tiers go round, and one in ten of no tier. */
function selection(size: number, count: number, tiers: readonly string[] = TIERS): Selection {
  const at = (index: number): Task => ({
    id: String(index),
    domain: "corpus",
    prompt: [],
    reference: "",
    meta: index % 10 === 9 ? {} : { tier: tiers[index % tiers.length]! },
  });
  return { size, count, at, fact: (index, name) => at(index).meta[name] };
}

const walks = () => TIERS.map(() => ({ taken: 0, epoch: 0 }));
const tierOf = (index: number): string | undefined => (index % 10 === 9 ? undefined : TIERS[index % 3]);

describe("drawTasks()", () => {
  test("draws tiers by their shares within 2 points over 10,000 draws", () => {
    const index = indexTiers(selection(60_000, 1));
    const drawn = drawTasks(10_000, [0.475, 0.3, 0.225], index, walks(), 7, new Random(deriveKey(1)));
    for (const [i, wanted] of [0.475, 0.3, 0.225].entries()) {
      const share = drawn.filter((one) => tierOf(one) === TIERS[i]).length / drawn.length;
      expect(Math.abs(share - wanted)).toBeLessThan(0.02);
    }
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  test("takes no task again before all of its tier were taken", () => {
    const index = indexTiers(selection(300, 1));
    const at = walks();
    const rounds = Array.from({ length: 18 }, (_, i) =>
      drawTasks(5, [1, 0, 0], index, at, 7, new Random(deriveKey(2, i))),
    ).flat();
    const easy = index.byTier[0]!;
    expect(easy).toHaveLength(90);
    expect(rounds.toSorted((a, b) => a - b)).toEqual(easy);
    expect(at[0]).toEqual({ taken: 90, epoch: 0 });
    drawTasks(5, [1, 0, 0], index, at, 7, new Random(deriveKey(3)));
    expect(at[0]).toEqual({ taken: 5, epoch: 1 });
  });

  test("goes on in the other tiers when one has no more", () => {
    const index = indexTiers(selection(30, 1));
    const drawn = drawTasks(18, [0.9, 0.1, 0], index, walks(), 7, new Random(deriveKey(4)));
    expect(drawn.toSorted((a, b) => a - b)).toEqual(
      [...index.byTier[0]!, ...index.byTier[1]!].toSorted((a, b) => a - b),
    );
  });

  test("refuses more tasks than there are", () => {
    const draw = () =>
      drawTasks(28, [0.4, 0.3, 0.3], indexTiers(selection(30, 1)), walks(), 7, new Random(deriveKey(4)));
    expect(draw).toThrow("Cannot draw 28 tasks of the curriculum's tiers: only 27 are there");
  });
});

describe("rmt", () => {
  const text = "Work out 3+4. 3+4 is 7.";
  const place = (token: string) => ({ text, start: text.indexOf(token), end: text.indexOf(token) + token.length });
  const group = (id: string, sketches: readonly SampleSketch[], token: string, tier: string): Group =>
    makeGroup(id, sketches, { place: place(token), tier });
  const thinking = (verdict: "pass" | "fail", thinkLength: number, thinkBudget = 800): SampleSketch => ({
    verdict,
    annotations: { thinkLength, thinkBudget },
  });

  test("asks in the prompt for the very integer that the reward holds to", () => {
    const { hooks, driver, worker } = stage(rmt, {});
    const { task } = makeGroup("a", []);
    for (const progress of MOMENTS) {
      const plan = { ...PLAN, ...hooks.plan?.run(driver({ progress }), PLAN, undefined) };
      const formatted = hooks.format?.run(
        worker({ plan }),
        { messages: task.prompt, assistantPrefix: "", annotations: {} },
        task,
      );
      const budget = Number(formatted?.annotations?.["thinkBudget"]);
      expect(budget).toBe(thinkBudget(progress, SCHEDULE));
      expect(formatted?.messages).toEqual([{ role: "user", content: `Q\nUse exactly ${budget} tokens for thinking.` }]);
      const samples = [thinking("pass", budget, budget), thinking("fail", Math.floor(budget / 2), budget)];
      const rewards = hooks.reward?.run(
        driver({ progress, plan }),
        makeCohort([makeGroup("a", samples)], plan),
        [1, 0],
      );
      expect(rewards?.[0]).toBeCloseTo(1, 12);
      expect(rewards?.[1]).toBeCloseTo((0.2 * Math.floor(budget / 2)) / budget, 12);
    }
  });

  test("leaves evaluation alone but for mode budget, where it asks for the last budget", () => {
    const { hooks, worker } = stage(rmt, {});
    const { task } = makeGroup("a", []);
    const prompt = { messages: task.prompt, assistantPrefix: "", annotations: {} };
    expect(hooks.format?.run(worker({ phase: "eval" }), prompt, task)).toBeUndefined();
    expect(hooks.format?.run(worker({ phase: "eval", mode: "budget" }), prompt, task)?.annotations).toEqual({
      thinkBudget: 160,
    });
  });

  test("ends thinking natively at a multiple of the budget where that is wanted", () => {
    const { hooks, driver, worker } = stage(rmt, { thinkBudget: { initial: 81, endAt: 1.5 } });
    const plan = { ...PLAN, ...hooks.plan?.run(driver({ progress: 0 }), PLAN, undefined) };
    const sampling = { ...PLAN, logitBias: {}, stopStrings: [], budgetRules: [] };
    const { task } = makeGroup("a", []);
    expect(hooks.sampling?.run(worker({ plan }), sampling, task)).toEqual({
      budgetRules: [{ limit: 122, until: "</think>", inject: "\n</think>\n\n" }],
    });
    const open = stage(rmt, {});
    expect(open.hooks.sampling?.run(open.worker({ plan }), sampling, task)).toBeUndefined();
  });

  test("counts the think span, not the answer", () => {
    const { hooks, worker } = stage(rmt, {});
    const [sample] = makeGroup("a", [{ response: "12345</think>\n\n\\boxed{7}" }]).samples;
    expect(hooks.annotate?.run(worker(), sample!.trajectory, makeGroup("a", []).task)).toEqual({ thinkLength: 5 });
  });

  test("draws by the curriculum of the moment; a state from a checkpoint goes on with the same draws", () => {
    const one = stage(rmt, {});
    const steps = [0, 1, 2, 3].map((step) => ({ step, progress: step / 4 }));
    const all = steps.map((at) => one.hooks.select?.run(one.driver(at), selection(3000, 200)));
    const first = stage(rmt, {});
    for (const at of steps.slice(0, 2)) first.hooks.select?.run(first.driver(at), selection(3000, 200));
    // As through a checkpoint: JSON, then `init`.
    const state = rmt.init!(first.config, JSON.parse(JSON.stringify(first.state)));
    const resumed = steps
      .slice(2)
      .map((at) => one.hooks.select?.run({ ...first.driver(at), state }, selection(3000, 200)));
    expect(resumed).toEqual(all.slice(2));
    const hard = (indices: readonly number[] = []) => indices.filter((index) => tierOf(index) === "hard").length;
    expect(hard(all[0])).toBeLessThan(hard(all[3]) / 3);
    expect(new Set(all.flat()).size).toBe(800);
  });

  test("asks for every task's tier once in a run, however many steps choose, and makes no task", () => {
    const { hooks, driver } = stage(rmt, {});
    const tasks = selection(3000, 50);
    const looks = new Map<number, number>();
    const fact = (index: number, name: string) => {
      looks.set(index, (looks.get(index) ?? 0) + 1);
      return tasks.fact(index, name);
    };
    const at = (): never => {
      throw new Error("a task was made");
    };
    for (let step = 1; step <= 20; step++)
      hooks.select?.run(driver({ step, progress: step / 20 }), { ...tasks, at, fact });
    expect(looks.size).toBe(3000);
    expect(Math.max(...looks.values())).toBe(1);
  });

  test("gives an empty tier's share to the others and says so once; tasks without tiers are taken as they come", () => {
    const { hooks, driver, events } = stage(rmt, {});
    for (const step of [1, 2]) {
      const drawn = hooks.select?.run(driver({ step }), selection(900, 50, ["easy", "hard"]));
      expect(drawn?.every((index) => index % 10 !== 9)).toBe(true);
    }
    expect(events).toEqual(["warning: no task is medium; the other tiers share its part"]);
    const none = stage(rmt, {});
    expect(none.hooks.select?.run(none.driver(), selection(90, 5, ["odd"]))).toBeUndefined();
    expect(none.events).toEqual(["warning: no task is easy or medium or hard; tasks are taken as they come"]);
  });

  test("puts every text of the update into the next-token loss once, without the tokens that are reasoned about", () => {
    const { hooks, driver } = stage(rmt, {});
    const groups = ["7", " is", "7"].map((token, i) => ({
      group: group(`g${i}`, [thinking("pass", 5)], token, "hard"),
      rewards_G: [1],
    }));
    const loss = hooks.loss?.run(driver(), { spec: SPEC, tokenWeights: new Map(), auxiliaryTexts: [] }, groups);
    const [seven, is] = [place("7"), place(" is")];
    expect(loss?.auxiliaryTexts).toEqual([
      {
        text,
        masked: [
          [seven.start, seven.end],
          [is.start, is.end],
          [seven.start, seven.end],
        ],
      },
    ]);
    expect(loss?.spec).toMatchObject({ ratio: "one", aggregation: "token-mean", nextTokenCoefficient: 0.1 });
    const pure = stage(rmt, { nextToken: 0 });
    const off = { spec: { ...SPEC, nextTokenCoefficient: 0 }, tokenWeights: new Map(), auxiliaryTexts: [] };
    const without = pure.hooks.loss?.run(pure.driver(), off, groups);
    expect(without).not.toHaveProperty("auxiliaryTexts");
    expect(without?.spec?.nextTokenCoefficient).toBe(0);
  });

  test("reports budget, lengths, both reward components, tiers drawn beside wanted, and hopeless groups", () => {
    const { hooks, driver } = stage(rmt, {});
    const at = driver({ progress: 0.5 });
    hooks.select?.run(at, selection(300, 10));
    const cohort = makeCohort([
      group("a", [thinking("pass", 357, 357), thinking("fail", 714, 357)], "7", "hard"),
      group("b", [thinking("fail", 0, 357), thinking("fail", 0, 357)], " is", "easy"),
    ]);
    const report: StepReport = {
      step: 1,
      stage: "run",
      version: 1,
      trainTokens: 1,
      metrics: { "loss/next_token": 0.25 },
    };
    expect(hooks.observe?.run(at, report, cohort)).toEqual({
      "rmt/think_len/mean": 267.75,
      "rmt/budget": 357,
      "rmt/r_match/mean": 0.25,
      "rmt/r_len/mean": 0.25,
      "rmt/all_wrong/frac": 0.5,
      "rmt/ntp_nll": 2.5,
      "rmt/tier_p/easy": 0.35,
      "rmt/tier_frac/easy": 0.5,
      "rmt/ntr_acc/easy": 0,
      "rmt/tier_p/medium": 0.3,
      "rmt/tier_frac/medium": 0,
      "rmt/tier_p/hard": expect.closeTo(0.35, 12),
      "rmt/tier_frac/hard": 0.5,
      "rmt/ntr_acc/hard": 0.5,
    });
  });

  test("leaves rewards and prompts alone without a budget, and tasks without a curriculum", () => {
    const { hooks, driver, worker } = stage(rmt, { thinkBudget: null, curriculum: null });
    const { task } = makeGroup("a", []);
    expect(hooks.plan?.run(driver(), PLAN, undefined)).toBeUndefined();
    expect(hooks.select?.run(driver(), selection(30, 3))).toBeUndefined();
    expect(hooks.format?.run(worker(), { messages: [], assistantPrefix: "", annotations: {} }, task)).toBeUndefined();
    expect(hooks.reward?.run(driver(), makeCohort([makeGroup("a", [thinking("pass", 5)])]), [1])).toBeUndefined();
  });
});

describe("the next-token term", () => {
  // Position 0 predicts nothing; the four probabilities are those of positions 1 to 4, and position 4 is reasoned about.
  const loss = (
    probabilities: readonly number[],
    coefficient: number,
    without: readonly (readonly [number, number])[] = [[4, 5]],
  ) => {
    const batch = packLabelled([{ tokens: Int32Array.of(9, 1, 2, 3, 4), lossFrom: 1, without }]);
    const logprobs_N = Float32Array.from([1, ...probabilities], Math.log);
    return policyLoss({
      spec: { ...SPEC, nextTokenCoefficient: coefficient },
      batch,
      logprobs_N,
      entropies_N: new Float32Array(5),
    });
  };

  test.each([
    [[0.5, 0.25, 0.8, 0.1], "whose sum is blind to an inverted mask"],
    [[0.5, 0.25, 0.8, 0.2], "whose sum is not"],
  ])("is the mean over the three kept tokens of %j, %s", (probabilities) => {
    expect(loss(probabilities, 1).loss).toBeCloseTo(0.767528, 6);
    expect(3 * loss(probabilities, 1).loss).toBeCloseTo(2.302585, 5);
    expect(loss(probabilities, 0.1).loss).toBeCloseTo(0.0767528, 7);
  });

  test("tells a mask that is turned around, or left out, from the right one", () => {
    const probabilities = [0.5, 0.25, 0.8, 0.2];
    expect(loss(probabilities, 1, [[1, 4]]).loss).toBeCloseTo(1.609438, 6);
    expect(4 * loss(probabilities, 1, []).loss).toBeCloseTo(3.912023, 6);
  });

  test("has no gradient at masked positions, exactly", () => {
    expect([...loss([0.5, 0.25, 0.8, 0.2], 0.1).dLogprobs_N]).toEqual(
      [0, -1, -1, -1, 0].map((sign) => Math.fround((0.1 * sign) / 3) + 0),
    );
  });
});
