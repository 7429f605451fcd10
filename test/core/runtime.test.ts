import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createRuntime } from "../../core/dist/src/runtime.js";
import { createVerifiers } from "../../core/dist/src/verifiers.js";
import type { RunEvent } from "../../core/src/records/run-event.js";
import { metricsOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyPolicy } from "../support/tiny-run.js";

const folder = temporaryFolder();
const { distill: _, ...TINY } = TINY_RUN;
const UNRULY = join(import.meta.dirname, "../support/environments/unruly.ts");

function options(name: string) {
  const baseDirectory = join(folder, name);
  writeTinyPolicy(baseDirectory);
  const config = {
    ...TINY,
    environment: { use: UNRULY },
    plugins: ["grpo"],
    train: { steps: 5, promptsPerStep: 2, groupSize: 2 },
    rollout: { actors: 1, maxTokens: 8 },
    eval: { tasks: 2, every: 0 },
    policy: { from: "./policy" },
  };
  return { config, baseDirectory };
}

describe("createRuntime()", () => {
  test("steps, runs, pauses and goes on; every reader gets every event", async () => {
    const heard: RunEvent[] = [];
    const runtime = await createRuntime({ ...options("steps"), onEvent: (event) => heard.push(event) });
    const read: RunEvent[] = [];
    const reading = (async () => {
      for await (const event of runtime.events()) read.push(event);
    })();
    const before = heard.length;
    expect((await runtime.step()).step).toBe(1);
    expect(runtime.progress()).toBeCloseTo(0.2, 12);
    const running = runtime.run();
    runtime.pause();
    expect(await running).toBe("interrupted");
    expect(runtime.progress()).toBeLessThan(1);
    const loaded = runtime.changePlugins({ verb: "load", use: "shorterbetter" });
    expect(await runtime.run()).toBe("finished");
    expect(await loaded).toMatchObject({ plugin: "shorterbetter", from: "" });
    expect((await runtime.evaluate("default", { tasks: 1 })).n).toBe(1);
    await runtime.close();
    await reading;
    expect(read).toEqual(heard.slice(before));
    expect(metricsOf(runtime.directory.path)).toHaveLength(5);
  });

  test("changes plugins at once between two steps, and refuses a mode that nobody formats", async () => {
    const runtime = await createRuntime(options("between"));
    await runtime.step();
    expect(await runtime.changePlugins({ verb: "load", use: "shorterbetter" })).toMatchObject({ step: 2 });
    await expect(runtime.changePlugins({ verb: "load", use: "shorterbeter" })).rejects.toMatchObject({
      code: "MODULE_NOT_FOUND",
      hint: expect.stringContaining('Did you mean "shorterbetter"?'),
    });
    // Asked for, and not waited for: the step comes after it.
    const unloaded = runtime.changePlugins({ verb: "unload", plugin: "shorterbetter" });
    expect((await runtime.step()).step).toBe(2);
    expect(await unloaded).toMatchObject({ step: 2, plugin: "shorterbetter", to: "" });
    await expect(runtime.evaluate("nobody")).rejects.toMatchObject({ code: "EVALUATION_MODE_UNKNOWN" });
    await runtime.close();
  });

  test("prepares a change beside the step that was asked for before it", async () => {
    const runtime = await createRuntime(options("beside"));
    const first = runtime.step();
    const loaded = runtime.changePlugins({ verb: "load", use: "shorterbetter" });
    expect((await first).step).toBe(1);
    expect((await runtime.step()).step).toBe(2);
    expect(await loaded).toMatchObject({ step: 2, plugin: "shorterbetter" });
    await runtime.close();
  });

  test("leaves no run behind when it cannot start", async () => {
    const { config, baseDirectory } = options("nothing");
    const wrong = { ...config, environment: { use: "./no-tasks.mjs" } };
    writeFileSync(
      join(baseDirectory, "no-tasks.mjs"),
      `import { z } from "@troupe/core/sdk";
       export default { name: "none", version: "1.0.0", config: z.strictObject({}), taskset: async () => ({ size: 3 }), verifier: () => ({}) };`,
    );
    await expect(createRuntime({ config: wrong, baseDirectory })).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_VALID",
      message: expect.stringContaining('its taskset for "train" has no function "at"'),
    });
    expect(readdirSync(join(baseDirectory, "runs"))).toEqual([]);
  });

  test("lays its settings over a preset", async () => {
    const { config, baseDirectory } = options("extends");
    const { plugins: _plugins, name: _name, ...own } = config;
    const runtime = await createRuntime({ config: { extends: "curriculum/small", ...own }, baseDirectory });
    expect(runtime.config).toMatchObject({
      name: "curriculum-small",
      plugins: [{ use: "curriculum" }],
      train: { steps: 5, groupSize: 2, learningRate: 2e-4 },
      rollout: { maxTokens: 8 },
    });
    await runtime.close();
    const unknown = createRuntime({ config: { extends: "curriculum/smal", ...own }, baseDirectory });
    await expect(unknown).rejects.toMatchObject({ code: "PRESET_NOT_FOUND" });
  });

  test("resumes a run where its last checkpoint stands", async () => {
    const first = await createRuntime(options("resumes"));
    await first.step();
    await first.step();
    await first.save();
    await first.step();
    await first.close();
    const second = await createRuntime({ ...options("resumes"), resume: "1" });
    expect((await second.step()).step).toBe(3);
    await second.close();
  });

  test("names everything that is wrong with a config", async () => {
    const { config, baseDirectory } = options("wrong");
    const wrong = { ...config, train: { ...config.train, stepz: 1, groupSize: 1 } };
    await expect(createRuntime({ config: wrong, baseDirectory })).rejects.toMatchObject({
      code: "CONFIG_NOT_VALID",
      message: expect.stringMatching(/stepz[^]*steps[^]*|groupSize/),
    });
  });

  test("takes an engine of one's own, by its path, and says what one lacks", async () => {
    const { config, baseDirectory } = options("engine");
    const missing = { ...config, policy: { ...config.policy, engine: "./no-engine.mjs" } };
    await expect(createRuntime({ config: missing, baseDirectory })).rejects.toMatchObject({
      message: expect.stringContaining("no-engine.mjs"),
    });
  });
});

describe("createVerifiers()", () => {
  test("gives verdicts on texts, and failures as verdicts of their own kind", async () => {
    const verifiers = await createVerifiers({ use: "arithmetic" });
    const verdicts = await verifiers.verify({ id: "a", reference: "3" }, ["\\boxed{3}", "\\boxed{4}"]);
    expect(verdicts.map(({ kind }) => kind)).toEqual(["pass", "fail"]);
    const unusable = await verifiers.verify({ id: "b", reference: "three" }, ["\\boxed{3}"]);
    expect(unusable.map(({ kind }) => kind)).toEqual(["error"]);
    await verifiers.close();
  });
});
