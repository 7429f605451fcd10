import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { previewStages } from "../../core/cli/preview-stages.js";
import { loadConfig } from "../../core/src/config/load-config.js";
import { presetNames, readPreset } from "../../core/src/config/preset.js";
import { pluginEntries, runConfigSchema, type RunConfig } from "../../core/src/config/run-config.js";
import type { Taskset } from "../../core/src/environments/environment.js";
import { planLoaded } from "../../core/src/hooks/planner.js";
import { loadPlugins } from "../../core/src/run-parts.js";
import curriculum from "../../plugins/curriculum/index.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

function configOf(preset: string, ...settings: readonly string[]): RunConfig {
  const file = join(folder, "run.yaml");
  writeFileSync(file, `extends: ${preset}\npolicy: { from: ./policy }\nenvironment: { use: math }\n`);
  return loadConfig(file, settings, runConfigSchema).config;
}

/** Tasks of both domains, of every difficulty from 0 to 7. */
const TASKS: Taskset = {
  size: 1024,
  domains: ["math", "code"],
  at: (index) => ({
    id: `t${index}`,
    domain: index % 2 === 0 ? "math" : "code",
    prompt: [],
    reference: "",
    meta: { difficulty: (index >> 1) % 8 },
  }),
};

const known = new Map<string, ReturnType<typeof stagesOf>>();

/** The stages of a preset as it ships, worked out once. */
function shippedStages(name: string): ReturnType<typeof stagesOf> {
  const stages = known.get(name) ?? stagesOf(configOf(name));
  known.set(name, stages);
  return stages;
}

/** What every stage of a preset does, measuring aside: name, cap, prompts × answers, updates, learning rate, temperature. */
async function stagesOf(config: RunConfig) {
  const plugins = await loadPlugins(config.plugins, ".");
  planLoaded(plugins);
  return previewStages(config, plugins, TASKS)
    .filter(({ first }) => !first.stage.endsWith(", measuring"))
    .map(({ from, to, first, last }) => ({
      steps: to - from + 1,
      plan: [
        first.stage,
        first.maxTokens,
        first.promptsPerStep,
        first.groupSize,
        first.updatesPerBatch,
        first.learningRate,
      ] as const,
      temperature: [first.temperature, last.temperature] as const,
      parameters: first.parameters,
    }));
}

const THINK_FREE = { tfpi: { thinkFree: true } };
const THINKING = { tfpi: { thinkFree: false } };

describe("presets", () => {
  test.each(presetNames(".").map((name) => [name]))(
    "%s is a whole plan with models that it was made for",
    async (name) => {
      const { about } = readPreset(name, ".");
      expect(about.models.length).toBeGreaterThan(0);
      const config = configOf(name);
      const stages = await shippedStages(name);
      expect(stages.length).toBeGreaterThan(name.startsWith("rmt/") ? 0 : 1);
      const longest = Math.max(...stages.map(({ plan }) => plan[1]));
      // What memory is checked for before the first step.
      expect(config.rollout.maxTokens).toBe(longest);
      expect(about.positions).toBeGreaterThan(longest);
    },
  );

  test.each([
    ["tfpi/qwen3-4b", [4096, 8192, 16384, 32768]],
    ["tfpi/ds", [2048, 4096, 8192, 16384]],
    ["tfpi/qwen3-4b-2507", [4096, 8192, 16384]],
  ])("%s has the caps, the batch and the objective of the paper (check T5)", async (name, caps) => {
    const config = configOf(name);
    const stages = await shippedStages(name);
    expect(stages.map(({ plan }) => plan)).toEqual(
      caps.map((cap, i) => [i < 3 ? `tfpi-${i + 1}` : "rlvr", cap, 256, 8, 1, 1e-6]),
    );
    expect(stages.map(({ parameters }) => parameters)).toEqual(caps.map((_, i) => (i < 3 ? THINK_FREE : THINKING)));
    expect(config).toMatchObject({
      plugins: [{ use: "tfpi" }, { use: "dapo", with: { clipLow: 0.2, clipHigh: 0.28 } }],
      train: { warmupSteps: 0 },
      rollout: { temperature: 1, topP: 1, topK: 0 },
      loss: { klCoefficient: 0, entropyCoefficient: 0, maskTruncated: false },
      eval: { modes: ["default", "thinkfree"] },
    });
  });

  test.each([
    ["autothink/distill-1.5b", [220, 440, 130]],
    ["autothink/deepscaler-1.5b", [110, 240, 60]],
    ["autothink/distill-7b", [220, 450, 20]],
    ["autothink/skywork-7b", [600, 500, 30]],
  ])("%s has the table of the paper and the steps of its checkpoint", async (name, steps) => {
    const config = configOf(name);
    const stages = await shippedStages(name);
    expect(stages.map((stage) => stage.steps)).toEqual(steps);
    expect(stages.map(({ plan }) => plan)).toEqual([
      ["balance", 8192, 128, 8, 2, 1e-6],
      ["accuracy", 16384, 64, 8, 1, 1e-6],
      ["brevity", 24576, 64, 8, 1, 1e-6],
    ]);
    expect(stages.map(({ parameters }) => parameters["autothink"])).toEqual([
      { gamma: 0.5, alpha: 0, beta: 0 },
      { gamma: null, alpha: 0, beta: 0 },
      { gamma: null, alpha: 0.05, beta: 0.05 },
    ]);
    expect(stages.map(({ temperature }) => temperature)).toEqual([
      [0.6, 0.6],
      [0.6, 0.6],
      [0.6, 0.6],
    ]);
    expect(config).toMatchObject({
      plugins: [{ use: "autothink", with: { lambda: 2 } }],
      train: { maxGradNorm: 1, schedule: "constant" },
      loss: { clipLow: 0.2, clipHigh: 0.2, klCoefficient: 0, entropyCoefficient: 0.001 },
      eval: { modes: ["adaptive", "default"], samples: 16, temperature: 0.6, topP: 0.95, maxTokens: 32768 },
    });
  });

  test.each([
    ["curriculum/acereason-7b", 5, false],
    ["curriculum/acereason-14b", 7, false],
    ["curriculum/acereason-1.1-7b", 5, true],
  ])("%s has the schedule of check A11, one update and never two domains", async (name, failures, masks) => {
    const config = configOf(name);
    const stages = await shippedStages(name);
    expect(stages.map(({ plan }) => plan)).toEqual([
      ["math-8k", 8192, 128, 8, 1, 1e-6],
      ["math-16k", 16384, 128, 16, 1, 1e-6],
      ["math-24k-hard", 24576, 128, 16, 1, 1e-6],
      ["code-24k", 24000, 128, 8, 1, 5e-6],
      ["code-32k", 32768, 128, 8, 1, 5e-6],
      ["code-32k", 32768, 128, 16, 1, 5e-6],
      ["math-32k-hard", 32768, 128, 16, 1, 1e-6],
    ]);
    expect(stages.slice(3, 6).map(({ temperature }) => temperature.map((value) => Number(value.toFixed(2))))).toEqual([
      [0.6, 0.6],
      [0.6, 0.8],
      [0.8, 1],
    ]);
    expect(config.plugins).toMatchObject([
      {
        use: "curriculum",
        with: {
          strictlyOnPolicy: true,
          stages: [
            { domain: "math", filterOverlong: masks },
            { domain: "math", filterOverlong: masks },
            { domain: "math", measure: { attempts: 16 }, maxSolved: 0.375 },
            { domain: "code", difficulty: { max: failures } },
            { domain: "code", dropMastered: true },
            { domain: "math", measure: { attempts: 16 }, maxSolved: 0.375 },
          ],
        },
      },
    ]);
    // Check A12: overlong answers are masked at 8K and 16K of AceReason 1.1, and nowhere else.
    const settings = curriculum.config.parse(pluginEntries(config.plugins)[0]?.with);
    const maskedByStage = settings.stages.map(({ filterOverlong = config.loss.maskTruncated }) => filterOverlong);
    expect(maskedByStage).toEqual([masks, masks, false, false, false, false]);
    expect(config.loss).toMatchObject({ klCoefficient: 0, entropyCoefficient: 0 });
    await expect(stagesOf(configOf(name, "train.updatesPerBatch=4"))).rejects.toMatchObject({
      message: expect.stringContaining("4 updates per batch are asked for: strictly on-policy is 1"),
    });
  });

  test.each(["rmt/r1-distill-14b", "rmt/qwen3-14b"])("%s has the table of the specification", (name) => {
    expect(configOf(name)).toMatchObject({
      plugins: [
        {
          use: "rmt",
          with: {
            thinkBudget: { initial: 800, factor: 0.2, min: 1, exponent: 1 },
            lengthWeight: 0.2,
            maxLengthReward: 1,
            curriculum: { from: 0.3, to: 0.7, early: [0.6, 0.3, 0.1], late: [0.1, 0.3, 0.6] },
            nextToken: 0.1,
          },
        },
      ],
      train: { promptsPerStep: 128, groupSize: 8, learningRate: 1e-6, updatesPerBatch: 1 },
      rollout: { maxTokens: 2048 },
      loss: { klCoefficient: 0 },
    });
  });

  test("rmt/rpt-14b has the paper's settings, and dynamic sampling in its second half alone", async () => {
    const config = configOf("rmt/rpt-14b");
    expect(config).toMatchObject({
      plugins: [{ use: "dapo", steps: { from: 500 }, with: { dynamicSampling: true } }],
      train: {
        steps: 1000,
        promptsPerStep: 256,
        groupSize: 8,
        updatesPerBatch: 1,
        learningRate: 1e-6,
        beta2: 0.999,
        weightDecay: 0.01,
        maxGradNorm: 0.2,
      },
      rollout: { maxTokens: 8192, temperature: 0.8 },
      loss: { klCoefficient: 0, entropyCoefficient: 0 },
    });
  });
});
