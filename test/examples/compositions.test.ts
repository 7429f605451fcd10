import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../core/src/config/load-config.js";
import { runConfigSchema } from "../../core/src/config/run-config.js";
import { planLoaded } from "../../core/src/hooks/planner.js";
import { loadPlugins } from "../../core/src/run-parts.js";
import { metricsOf } from "../support/run-traces.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyPolicy } from "../support/tiny-run.js";
import { runTroupe } from "../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
const policy = writeTinyPolicy(folder, { max_position_embeddings: 1024 });
const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));

const inFolder = (name: string): readonly string[] =>
  readdirSync(join(EXAMPLES, name)).map((file) => `${name}/${file}`);

/** The plugins of a shipped config, as they are planned with settings laid over it. */
async function planOf(file: string, ...settings: readonly string[]) {
  const { config, baseDirectory } = loadConfig(join(EXAMPLES, file), settings, runConfigSchema);
  return planLoaded(await loadPlugins(config.plugins, baseDirectory));
}

/** Steps of seconds: a smaller policy and fewer answers, everything else as it ships. */
const SMALL = [
  `policy.from=${policy}`,
  "distill.tokens=20000",
  "distill.batchTokens=512",
  "train.promptsPerStep=2",
  "train.groupSize=2",
  "train.maxRounds=1",
  "eval.every=0",
  "eval.tasks=4",
  "verify.deadlineMs=60000",
];

/** Runs a shipped config and gives the metrics of every step. */
async function run(file: string, ...settings: readonly string[]) {
  const end = await runTroupe(["--json", "run", join(EXAMPLES, file), ...SMALL, ...settings], folders);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  const name = readdirSync(folders.runs).toSorted().at(-1) ?? "";
  const steps = metricsOf(join(folders.runs, name)).map((line) => JSON.parse(line));
  return { name, steps };
}

describe("shipped configs", () => {
  test.each([...inFolder("compositions"), ...inFolder("papers")])("%s is planned without a conflict", async (file) => {
    expect((await planOf(file)).length).toBeGreaterThan(3);
    // What a user copies says how it is run.
    expect(readFileSync(join(EXAMPLES, file), "utf8")).toContain(`troupe run examples/${file}`);
  });

  test("tfpi and autothink are refused in one step, with the field that both decide and the step", async () => {
    await expect(planOf("compositions/tfpi-then-autothink.yaml", "plugins.2.steps.from=60")).rejects.toMatchObject({
      code: "PLUGIN_CONFLICT",
      message: 'Cannot plan the run as "tfpi" and "autothink" both write "prompt.assistantPrefix" in steps 60 to 60',
    });
  });

  test("tfpi and curriculum are refused in one step", async () => {
    await expect(planOf("compositions/tfpi-then-curriculum.yaml", "plugins.2.steps={}")).rejects.toMatchObject({
      code: "PLUGIN_CONFLICT",
      message: 'Cannot plan the run as "tfpi" and "curriculum" both write "plan.stage" in steps 1 to 40',
    });
  });

  test("tfpi hands over to autothink: stages, prompts and metrics change, steps and weights go on", async () => {
    const { name, steps } = await run(
      "compositions/tfpi-then-autothink.yaml",
      "train.steps=4",
      "plugins.0.steps.to=2",
      "plugins.1.steps.to=2",
      "plugins.2.steps.from=3",
      "plugins.3.steps.from=3",
    );
    expect(steps.map(({ step, stage, version }) => [step, stage, version])).toEqual([
      [1, "thinkfree-40", 1],
      [2, "thinkfree-40", 2],
      [3, "balance", 3],
      [4, "balance", 4],
    ]);
    const has = (metric: string) => steps.map(({ metrics }) => metric in metrics);
    expect(has("tfpi/length/thinkfree")).toEqual([true, true, false, false]);
    expect(has("autothink/think_rate/all")).toEqual([false, false, true, true]);
    // Sampler and learner see the same weights and prompts on both sides of the change.
    expect(steps.map(({ metrics }) => metrics["mismatch/max"] ?? 0)).toEqual([0, 0, 0, 0]);
    const replayed = await runTroupe(["replay", name], folders);
    expect(replayed, replayed.stdout + replayed.stderr).toMatchObject({ exitCode: 0 });
  });

  test("tfpi hands over to a curriculum of two domains, which never mixes them and measures what it begins with", async () => {
    const { steps } = await run(
      "compositions/tfpi-then-curriculum.yaml",
      "train.steps=6",
      "environment.with.digits.with.trainTasks=8",
      "environment.with.logic.with.trainTasks=8",
      "plugins.0.steps.to=1",
      "plugins.1.steps.to=1",
      "plugins.2.steps.from=2",
      "plugins.2.with.stages.0.steps=1",
      "plugins.2.with.stages.1.steps=1",
      "plugins.2.with.stages.2.steps=1",
      "plugins.2.with.stages.3.measure.promptsPerStep=8",
      "plugins.2.with.stages.3.measure.attempts=2",
      "plugins.2.with.stages.3.groupSize=2",
    );
    expect(steps.map(({ stage }) => stage)).toEqual([
      "thinkfree-40",
      "digits-short",
      "digits-long",
      "digits-hard",
      "logic, measuring",
      "logic",
    ]);
    expect(steps[4].metrics).toMatchObject({ "group/kept": 0, "group/dropped": 8 });
  });
});
