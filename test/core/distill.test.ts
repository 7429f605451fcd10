import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../core/dist/src/config/load-config.js";
import { runConfigSchema, type RunConfig } from "../../core/dist/src/config/run-config.js";
import { distillPolicy, type DistilledPolicy } from "../../core/dist/src/distill.js";
import { warmupThenDecay } from "../../core/src/distill.js";
import type { JsonObject } from "../../core/src/records/json.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { UNRULY } from "../support/unruly.js";

const folder = temporaryFolder();
const home = join(folder, "home");
const before = process.env["TROUPE_HOME"];
beforeAll(() => void (process.env["TROUPE_HOME"] = home));
afterAll(() => {
  if (before === undefined) delete process.env["TROUPE_HOME"];
  else process.env["TROUPE_HOME"] = before;
});

const SHORT = { ...TINY_RUN, distill: { tokens: 3000, batchTokens: 512 } };

function read(changes: JsonObject, ...overrides: readonly string[]): RunConfig {
  return loadConfig(writeTinyRun(folder, { ...SHORT, ...changes }), overrides, runConfigSchema).config;
}

function distil(
  config: RunConfig,
  onEvent: (event: RunEvent) => void = () => {},
  signal = new AbortController().signal,
): Promise<DistilledPolicy> {
  return distillPolicy(config, folder, onEvent, signal);
}

describe("distillPolicy()", () => {
  test("trains once and finds the policy after that; whatever goes in makes another one", async () => {
    const events: RunEvent[] = [];
    const first = await distil(read({}), (event) => events.push(event));
    expect(first).toMatchObject({ isCached: false });
    expect(first.tokens).toBeGreaterThanOrEqual(3000);
    expect(readdirSync(first.directory).toSorted()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    const losses = events.map((event) => (event.type === "step" ? event.report.metrics["loss/next_token"] : undefined));
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
    expect(events.at(-1)).toMatchObject({ type: "step", part: "base", progress: { done: 1 } });

    const again = await distil(read({ train: { steps: 99 }, rollout: { actors: 3 }, plugins: [] }));
    expect(again).toEqual({ directory: first.directory, isCached: true, tokens: 0, seconds: 0 });

    const others = [read({}, "seed=8"), read({}, "distill.learningRate=0.001"), read({}, "environment.with.modulus=4")];
    const directories = [];
    for (const config of others) {
      const { directory, isCached } = await distil(config);
      expect(isCached).toBe(false);
      directories.push(directory);
    }
    expect(new Set([first.directory, ...directories]).size).toBe(4);
    expect(readdirSync(join(home, "policies"))).toHaveLength(4);
  });

  test("gives the same bits on another day and with another number of threads", async () => {
    const [one, two] = [read({}, "seed=21", "policy.threads=1"), read({}, "seed=21", "policy.threads=2")];
    const { directory } = await distil(one);
    const weights = readFileSync(join(directory, "model.safetensors"));
    process.env["TROUPE_HOME"] = join(folder, "another-home");
    const again = await distil(two);
    process.env["TROUPE_HOME"] = home;
    expect(again.isCached).toBe(false);
    expect(readFileSync(join(again.directory, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("ends early, after the fall of the learning rate, once the loss is low enough", async () => {
    const high = read({}, "seed=23", "distill.tokens=60000", "distill.untilLoss=100");
    const events: RunEvent[] = [];
    const { tokens } = await distil(high, (event) => events.push(event));
    // 50 batches of at least 512 tokens, and a quarter of them again.
    expect(tokens).toBeGreaterThan(1.25 * 50 * 512);
    expect(tokens).toBeLessThan(1.25 * 50 * 512 * 1.2);
    const labels = events.map((event) => (event.type === "step" ? event.progress.label : event.type));
    expect(labels[0]).toContain("/≤0.06 M tokens");
    expect(labels.at(-1)).toMatch(/^(0\.\d\d)\/0\.0[34] M tokens$/);
  });

  test("warns when the loss is not reached within the tokens", async () => {
    const events: RunEvent[] = [];
    const low = read({}, "seed=23", "distill.tokens=3000", "distill.untilLoss=0.000001");
    const { tokens } = await distil(low, (event) => events.push(event));
    expect(tokens).toBeLessThan(4000);
    expect(events.at(-1)).toMatchObject({
      type: "notice",
      level: "warning",
      message: expect.stringContaining("did not come down to 0.000001 within 3,000 tokens"),
    });
  });

  test("stops when it is told to, and leaves no policy behind", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const config = read({}, "seed=22");
    await expect(distil(config, () => stop.abort(reason), stop.signal)).rejects.toBe(reason);
    expect(readdirSync(join(home, "policies")).filter((name) => name.includes("tmp"))).toEqual([]);
    expect(await distil(config)).toMatchObject({ isCached: false });
  });

  test("rejects with CACHE_FOLDER_NOT_USABLE before it teaches", async () => {
    const file = join(folder, "no-folder");
    writeFileSync(file, "");
    process.env["TROUPE_HOME"] = join(file, "home");
    const events: RunEvent[] = [];
    const refused = distil(read({}, "seed=24"), (event) => events.push(event));
    await expect(refused).rejects.toMatchObject({ code: "CACHE_FOLDER_NOT_USABLE", exitCode: 4 });
    process.env["TROUPE_HOME"] = home;
    expect(events).toEqual([]);
  });

  test("rejects with NO_TEACHER in an environment that cannot teach, and without the settings", async () => {
    await expect(distil(read({ environment: { use: UNRULY } }))).rejects.toMatchObject({
      code: "NO_TEACHER",
      exitCode: 2,
      message: 'Cannot distil a policy in environment "unruly": the environment has no teacher',
    });
    const { distill: _, ...rest } = read({});
    await expect(distil({ ...rest, distill: undefined })).rejects.toMatchObject({
      code: "NO_TEACHER",
      message: expect.stringContaining('the config has no "distill" section'),
    });
  });
});

describe("warmupThenDecay()", () => {
  test.each([
    [0, 0.1, 0],
    [0.05, 0.1, 0.5],
    [0.1, 0.1, 1],
    [0.55, 0.1, 1],
    [0.8, 0.1, 1],
    [0.9, 0.1, 0.55],
    [1, 0.1, 0.1],
    [0, 0, 1],
    [1, 1, 0.1],
  ])("at %d with a warm-up of %d is %d", (done, warmup, wanted) => {
    expect(warmupThenDecay(done, warmup)).toBeCloseTo(wanted, 12);
  });
});
