import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { replay } from "../../core/dist/src/replay.js";
import { Run } from "../../core/dist/src/run.js";
import { readRollouts } from "../../core/dist/src/store/rollouts.js";
import { RunDirectory } from "../../core/dist/src/store/run-directory.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import { openSession } from "../support/open-session.js";
import { metricsOf, traceOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN } from "../support/tiny-run.js";
import { RESTLESS_CHANCE, writePlugin } from "../support/write-plugin.js";

const folder = temporaryFolder();

const { distill: _, ...TINY } = TINY_RUN;
const SETTINGS: JsonObject = {
  ...TINY,
  environment: { use: join(import.meta.dirname, "../support/environments/unruly.ts") },
  train: { steps: 6, promptsPerStep: 3, groupSize: 2, staleness: 1, learningRate: 0.01 },
  rollout: { actors: 2, maxTokens: 8 },
  eval: { tasks: 2 },
  plugins: ["./chance.ts", "grpo"],
};

/** Keeps one of the actors from beginning, as far as it is told to. */
const SLOW = {
  config: "z.strictObject({ delayMs: z.number() })",
  hooks: `{
    format: { run: (ctx) => {
      const isFirst = ctx.slot === 0 && ctx.phase === "train" && ctx.config.delayMs > 0;
      if (isFirst) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ctx.config.delayMs);
      return undefined;
    } },
  }`,
};

async function play(
  name: string,
  changes: JsonObject = {},
): Promise<{ own: string; path: string; events: readonly RunEvent[] }> {
  const own = join(folder, name);
  writePlugin(own, "chance", RESTLESS_CHANCE);
  writePlugin(own, "slow", SLOW);
  const events: RunEvent[] = [];
  const { session, path } = await openSession(own, { ...SETTINGS, ...changes }, (event) => events.push(event));
  try {
    expect(await new Run(session).train(new AbortController().signal)).toBe("finished");
  } finally {
    await session.close("finished");
  }
  return { own, path, events };
}

function metric(path: string, name: string): readonly number[] {
  return metricsOf(path).map((line) => JSON.parse(line).metrics[name]);
}

function consumed(path: string): readonly string[] {
  const lines = readFileSync(join(path, "ledger.jsonl"), "utf8").trimEnd().split("\n");
  return lines.flatMap((line) => JSON.parse(line).samples.map(({ id }: { id: string }) => id));
}

describe("a run with staleness", () => {
  test("learns from samples that are as old as the bound, and weighs them", async () => {
    for (const staleness of [1, 3]) {
      const { path } = await play(`bound-${staleness}`, {
        train: { steps: 6, promptsPerStep: 3, groupSize: 2, learningRate: 0.01, staleness },
      });
      const largest = metric(path, "staleness/max");
      expect(largest[0]).toBe(0);
      expect(Math.max(...largest)).toBe(staleness);
      // Engines agree to the bit wherever a token is the learning version's own, as all of the first step are.
      const measured = metric(path, "mismatch/measured");
      expect(measured[0]).toBe(1);
      expect(metric(path, "mismatch/same/max")).toEqual(measured.map((share) => (share > 0 ? 0 : undefined)));
      const weights = metric(path, "importance/mean");
      // The first step's samples are of the live version: their weights are 1, up to the rounding of token weights.
      expect(weights[0]).toBeCloseTo(1, 6);
      expect(weights.slice(1).some((weight) => Math.abs(weight - 1) > 1e-6)).toBe(true);
    }
  });

  test("gives the same run twice, whatever the threads do", async () => {
    const runs = [await play("twice-1"), await play("twice-2", { rollout: { actors: 1, maxTokens: 8 } })];
    const [first, second] = runs.map(({ path }) => readFileSync(join(path, "ledger.jsonl"), "utf8"));
    expect(second).toBe(first);
  });

  test("is the same run when actors are slow to begin, at any bound", async () => {
    for (const staleness of [1, 3]) {
      const train = { steps: 6, promptsPerStep: 3, groupSize: 2, learningRate: 0.01, staleness };
      const plugins = (delayMs: number): JsonObject[] => [
        { use: "./chance.ts" },
        { use: "./slow.ts", with: { delayMs } },
        { use: "grpo" },
      ];
      const prompt = await play(`prompt-${staleness}`, { train, plugins: plugins(0) });
      const slow = await play(`slow-${staleness}`, { train, plugins: plugins(150) });
      expect(traceOf(slow.path)).toMatchObject({
        ledger: traceOf(prompt.path).ledger,
        tensors: traceOf(prompt.path).tensors,
      });
      // Each step's first samples are of the version that was live when it was asked for.
      for (let step = 1; step <= 6; step++) {
        const own = (await readRollouts(join(slow.path, "rollouts"), step)).filter(
          ({ id, round }) => round === 0 && id.startsWith(`${step}/`),
        );
        const versions = new Set(own.flatMap((record) => record.versions.map(({ version }) => version)));
        if (own.length > 0) expect([...versions], `step ${step}`).toEqual([Math.max(0, step - 1 - staleness)]);
      }
    }
  });

  test("carries groups that found no place into the next step, and learns from none twice", async () => {
    const train = { steps: 10, promptsPerStep: 4, groupSize: 2, staleness: 2, learningRate: 0.01 };
    const { path } = await play("carry", { train });
    const ids = consumed(path);
    expect(new Set(ids).size).toBe(ids.length);
    const lines = readFileSync(join(path, "ledger.jsonl"), "utf8").trimEnd().split("\n");
    const late = lines.flatMap((line) => {
      const { step, samples } = JSON.parse(line);
      return samples.filter(({ id }: { id: string }) => Number(id.split("/")[0]) < step);
    });
    expect(late.length).toBeGreaterThan(0);
    const without = await play("no-carry", { train: { ...train, carryOver: false } });
    expect(Math.max(...metric(without.path, "sample/yield"))).toBeLessThanOrEqual(1);
  });

  test("replays float for float", async () => {
    const { own, path } = await play("replayed", { store: { rolloutsEvery: 1 } });
    const { config } = (await openSession(join(folder, "config"), { ...SETTINGS, plugins: [] })).session;
    const options = {
      config: { ...config, plugins: ["./chance.ts", "grpo"] },
      baseDirectory: own,
      directory: await RunDirectory.open(path),
    };
    for await (const { step, samples } of replay(options))
      expect(
        samples.filter(({ isEqual }) => !isEqual),
        `differences at step ${step}`,
      ).toEqual([]);
  });

  test("goes on with new versions in the middle of a response where it may", async () => {
    const { path } = await play("partial", {
      rollout: { actors: 2, maxTokens: 100, partial: true },
      environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 2, modulus: 3, evalTasks: 4 } },
    });
    expect(metric(path, "staleness/max").every((behind) => behind <= 1)).toBe(true);
    expect(metricsOf(path)).toHaveLength(6);
  });
});
