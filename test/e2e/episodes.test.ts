import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../core/dist/src/config/load-config.js";
import { runConfigSchema } from "../../core/dist/src/config/run-config.js";
import { replay } from "../../core/dist/src/replay.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import { readStep } from "../../core/dist/src/store/rollouts.js";
import { traceOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { runTroupe, TroupeProcess } from "../support/troupe-process.js";

const folder = temporaryFolder();

/** A run of several turns: the teacher gets the policy so far that it boxes numbers and is answered. */
const GUESSING = {
  ...TINY_RUN,
  environment: { use: "guess-number", with: { maxStart: 9, maxDifficulty: 1, heldOut: 0.4, evalTasks: 4 } },
  plugins: ["grpo"],
  distill: { tokens: 60_000, batchTokens: 512, learningRate: 0.005 },
  train: { steps: 6, promptsPerStep: 4, groupSize: 4, learningRate: 0.001 },
  rollout: { actors: 2, maxTokens: 60, maxTurns: 4, maxTurnTokens: 24 },
  eval: { every: 3, tasks: 4 },
  store: { checkpointEvery: 2 },
} as const;

describe("a run of several turns", () => {
  test.each([0, 1])("killed and resumed is the uninterrupted run, and replays, at staleness %d", async (staleness) => {
    const settings = { ...GUESSING, train: { ...GUESSING.train, staleness } };
    const own = join(folder, `stale-${staleness}`);
    const file = writeTinyRun(own, settings);
    const at = (name: string) => ({ runs: join(own, name), home: join(folder, "home") });
    const whole = await runTroupe(["--json", "run", file], at("whole"));
    expect(whole, whole.stderr).toMatchObject({ exitCode: 0 });
    const path = join(own, "whole", "0001-tiny");
    const trace = traceOf(path);
    // What is learned from in lockstep was sampled by the very weights that learn.
    const sound = { "turn/breaks": 0, ...(staleness === 0 ? { "mismatch/max": 0 } : {}) };
    for (const { metrics } of trace.metrics) expect(metrics).toMatchObject(sound);

    let steps = 0;
    const third = { start: '{"type":"step","part":"tiny"', count: 3 };
    const onLine = (line: string): void => {
      if (line.startsWith(third.start) && ++steps === third.count) killed.signal("SIGKILL");
    };
    const killed = new TroupeProcess(["--json", "run", file], at("killed"), onLine, third);
    expect(await killed.ended).toMatchObject({ signal: "SIGKILL" });
    const resumed = await runTroupe(["--json", "resume"], at("killed"));
    expect(resumed, resumed.stderr).toMatchObject({ exitCode: 0 });
    expect(traceOf(join(own, "killed", "0001-tiny"))).toEqual(trace);

    const { config, baseDirectory } = loadConfig(file, [], runConfigSchema);
    const directory = await RunDirectory.open(path);
    const rollouts = await readStep(directory.rollouts, 6);
    expect(rollouts.some(({ record }) => record.turns.some(({ role }) => role === "environment"))).toBe(true);
    for await (const { step, samples } of replay({ config, baseDirectory, directory }))
      expect(
        samples.filter(({ isEqual }) => !isEqual),
        `differences at step ${step}`,
      ).toEqual([]);
  });
});
