import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { replay, type ReplayOptions } from "../../core/dist/src/replay.js";
import { Run } from "../../core/dist/src/run.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import type { ReplayedStep } from "../../core/src/replay.js";
import type { JsonObject } from "../../core/src/records/json.js";
import { openSession } from "../support/open-session.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";
import { writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();

const { distill: _, ...TINY } = TINY_RUN;

/** Rewards by chance, length and a state that every hook moves; resamples some groups. */
function restless(version: string, scale: number): Parameters<typeof writePlugin>[2] {
  return {
    name: "restless",
    version,
    more: "init: (_config, previous) => previous ?? { sum: 0 },",
    hooks: `{
      plan: { run: (ctx, plan, last) => { ctx.state.sum += last?.metrics["reward/mean"] ?? 1; return {}; } },
      reward: { reads: ["length"], writes: ["reward"], run: (ctx, cohort) =>
        samplesOf(cohort).map(({ trajectory }) => ctx.state.sum + ${scale} * trajectory.tokens.length + ctx.random.uniform()) },
      keep: { run: (ctx, group) => (group.rewards_G[0] > group.rewards_G[1] ? "resample" : "keep") },
      observe: { run: (ctx, report) => { ctx.state.sum += report.metrics["len/mean"] / 100; return { "restless/sum": ctx.state.sum }; } },
    }`,
  };
}

let options: ReplayOptions;

beforeAll(async () => {
  const own = join(folder, "run");
  writePlugin(own, "restless", restless("1.0.0", 1));
  writePlugin(own, "restless-2", restless("2.0.0", 2));
  writePlugin(own, "failing", {
    ...restless("3.0.0", 3),
    hooks: '{ reward: { run: () => { throw new Error("no"); } } }',
  });
  const settings: JsonObject = {
    ...TINY,
    train: { steps: 8, promptsPerStep: 4, groupSize: 2, maxRounds: 3 },
    rollout: { actors: 2, maxTokens: 8 },
    eval: { tasks: 2, every: 3 },
    plugins: ["./restless.ts", "grpo"],
  };
  const { session, path } = await openSession(own, settings, (event) => {
    if (event.type !== "step") return;
    const { plugins } = session.parts;
    const { step } = event.report;
    if (step === 2) void plugins.change({ verb: "swap", plugin: "restless", use: "./restless-2.ts" });
    if (step === 4) void plugins.change({ verb: "swap", plugin: "restless", use: "./failing.ts" });
    if (step === 6) void plugins.change({ verb: "rollback", plugin: "restless" });
  });
  await new Run(session).train(new AbortController().signal);
  await session.close("finished");
  options = { config: session.config, baseDirectory: own, directory: await RunDirectory.open(path) };
});

async function all(more: Partial<ReplayOptions> = {}): Promise<readonly ReplayedStep[]> {
  const steps: ReplayedStep[] = [];
  for await (const step of replay({ ...options, ...more })) steps.push(step);
  return steps;
}

describe("replay()", () => {
  test("decides every step again, float for float, through swaps, a failed version and a roll-back", async () => {
    const steps = await all();
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const { step, samples } of steps) {
      expect(samples.length, `samples of step ${step}`).toBeGreaterThanOrEqual(8);
      expect(
        samples.filter(({ isEqual }) => !isEqual),
        `differences at step ${step}`,
      ).toEqual([]);
    }
    // The run resampled: the rounds of a step are part of its record.
    expect(steps.some(({ samples }) => samples.length > 8)).toBe(true);
  });

  test("ends where it is told to", async () => {
    expect((await all({ to: 3 })).map(({ step }) => step)).toEqual([1, 2, 3]);
  });

  test("refuses a step that the run did not come to, and a run without steps", async () => {
    await expect(all({ to: 9 })).rejects.toMatchObject({
      code: "REPLAY_NOT_POSSIBLE",
      message: 'Cannot replay step 9 of run "0001-tiny": its newest step is 8',
    });
    const directory = await RunDirectory.create({ root: join(folder, "empty"), name: "tiny" });
    await expect(all({ directory })).rejects.toMatchObject({
      message: 'Cannot replay step 1 of run "0001-tiny": the run has no step yet',
    });
  });

  test("shows what another version would have changed, from the step on that it is given", async () => {
    const replace = { plugin: "restless", use: "./restless-2.ts", from: 2 };
    const [first, second] = await all({ to: 2, replace });
    expect(first?.samples.every(({ isEqual }) => isEqual)).toBe(true);
    const changed = second?.samples.map(({ reward }) => reward.replayed - reward.recorded) ?? [];
    // Version 2 pays every token twice, so each judged reward moves by the sample's number of tokens.
    expect(changed.filter((change) => change > 0).length).toBeGreaterThan(0);
    expect(changed.every((change) => change === 0 || change >= 1)).toBe(true);
  });

  test("refuses a plugin that the run does not have", async () => {
    await expect(all({ replace: { plugin: "absent", use: "./restless-2.ts", from: 1 } })).rejects.toMatchObject({
      code: "PLUGIN_NOT_LOADED",
    });
  });

  test("names the step whose rollouts are gone", async () => {
    rmSync(join(options.directory.rollouts, "000005.jsonl"));
    await expect(all()).rejects.toMatchObject({
      code: "REPLAY_NOT_POSSIBLE",
      message: expect.stringMatching(/^Cannot replay step 5 of run "0001-tiny"/),
    });
  });
});
