import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadExperiment } from "../../../core/src/config/experiment-config.js";
import { loadConfig, type LoadedConfig } from "../../../core/src/config/load-config.js";
import { pluginEntries, runConfigSchema, type RunConfig } from "../../../core/src/config/run-config.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const file = join(folder, "run.yaml");

const LEAST = `name: one
policy: { from: ./policy }
environment: { use: arithmetic }
`;

function load(text: string, ...overrides: readonly string[]): LoadedConfig<RunConfig> {
  writeFileSync(file, text);
  return loadConfig(file, overrides, runConfigSchema);
}

/** The problems that a text is refused with, without the file's folder. */
function problems(text: string, ...overrides: readonly string[]): readonly string[] {
  try {
    load(text, ...overrides);
  } catch (error) {
    // Only the message is read.
    const lines = (error as Error).message.replaceAll(`${folder}/`, "").split("\n  ");
    expect(error).toMatchObject({ code: "CONFIG_NOT_VALID", exitCode: 2 });
    expect(lines[0]).toBe("Cannot use the config:");
    return lines.slice(1);
  }
  return [];
}

describe("loadConfig()", () => {
  test("needs three settings, and fills in every other", () => {
    const { config, baseDirectory } = load(LEAST);
    expect(config).toMatchObject({
      name: "one",
      seed: 1,
      plugins: [],
      train: { groupSize: 8 },
      eval: { modes: ["default"] },
      store: { checkpointEvery: 10 },
    });
    expect(config.distill).toBeUndefined();
    expect(baseDirectory).toBe(folder);
  });

  test.each(["__proto__.x=1", "train.constructor.y=1", "prototype.__proto__=1"])(
    "refuses %s and sets nothing",
    (text) => {
      expect(() => load(LEAST, text)).toThrow(expect.objectContaining({ code: "OVERRIDE_NOT_VALID" }));
      expect({}).not.toHaveProperty("x");
    },
  );

  test("names every problem at once, each with file:line:column and path", () => {
    const found = problems(`name: Not A Name
seed: -1
policy: { from: ./policy }
environment: { use: arithmetic }
train:
  groupSize: 1
  learningRate: fast
plugins:
  - fine
  - { with: {} }
`);
    expect(found).toEqual([
      "run.yaml:1:1 name: lower-case letters, digits and hyphens",
      "run.yaml:2:1 seed: -1 was found, at least 0 is wanted",
      "run.yaml:10:5 plugins.1.use: missing, a text is wanted",
      expect.stringMatching(/^run\.yaml:6:3 train\.groupSize: at least 2/),
      'run.yaml:7:3 train.learningRate: "fast" was found, a number is wanted',
    ]);
  });

  test("says what a group of one would do", () => {
    expect(problems(`${LEAST}train: { groupSize: 1 }\n`)).toEqual([
      "run.yaml:4:10 train.groupSize: at least 2 trajectories per task are wanted: with 1 every advantage is 0",
    ]);
  });

  test("names the nearest known key, or all of them when none is near", () => {
    expect(problems(`${LEAST}train:\n  group_sise: 4\n  steps: 3\nrolout: { actors: 1 }\n`)).toEqual([
      'run.yaml:5:3 unknown key "group_sise" in train: did you mean "groupSize"?',
      'run.yaml:7:1 unknown key "rolout" in the config: did you mean "rollout"?',
    ]);
    expect(problems(`${LEAST}store: { zzz: 4 }\n`)).toEqual([
      'run.yaml:4:10 unknown key "zzz" in store; known keys are checkpointEvery, keepCheckpoints, rolloutsEvery, segmentMb, compress, maxMb',
    ]);
    expect(problems(`${LEAST}eval:\n  plugins: [{ uses: a }]\n`)).toContain(
      'run.yaml:5:15 unknown key "uses" in eval.plugins.0: did you mean "use"?',
    );
    expect(problems(`${LEAST}distill: { token: 4 }\n`)).toContain(
      'run.yaml:4:12 unknown key "token" in distill: did you mean "tokens"?',
    );
  });

  test("says what is missing, at the key that should hold it", () => {
    expect(problems("name: one\npolicy: {}\nenvironment: { use: a }\n")).toEqual([
      "run.yaml:2:1 policy.from: missing, a text is wanted",
    ]);
    expect(problems("")).toHaveLength(3);
  });

  test("lays overrides over the file, and knows where each value came from", () => {
    const { config, origins } = load(
      `${LEAST}train:\n  steps: 3\n`,
      "train.learningRate=0.002",
      "eval.modes=[a, b]",
      "environment.with.minSteps=2",
    );
    expect(config).toMatchObject({
      train: { steps: 3, learningRate: 0.002 },
      eval: { modes: ["a", "b"] },
      environment: { with: { minSteps: 2 } },
    });
    expect(Object.fromEntries(origins)).toMatchObject({
      "train.steps": `${file}:5`,
      "train.learningRate": "command line",
      "train.groupSize": "default",
      "eval.modes": "command line",
      "environment.with.minSteps": "command line",
      "environment.use": `${file}:3`,
    });
  });

  test("knows the origin of a setting whose name begins like an overridden one", () => {
    const text = LEAST.replace("arithmetic }", "arithmetic, with: { step: 1, steps: 2 } }");
    const { origins } = load(text, "environment.with.step=5");
    expect(origins.get("environment.with.steps")).toBe(`${file}:3`);
    expect(origins.get("environment.with.step")).toBe("command line");
  });

  test("names the setting of the command line that is wrong", () => {
    expect(problems(LEAST, "train.stepps=3", "train.groupSize=1")).toEqual([
      expect.stringMatching(/^command line: train\.groupSize: /),
      'command line: unknown key "stepps" in train: did you mean "steps"?',
    ]);
  });

  test("rejects with OVERRIDE_NOT_VALID a setting without an equals sign", () => {
    expect(() => load(LEAST, "train.steps")).toThrow(
      expect.objectContaining({
        code: "OVERRIDE_NOT_VALID",
        message: 'Cannot read the setting "train.steps": it has no "="',
      }),
    );
  });

  test("rejects with OVERRIDE_NOT_VALID a value that is no YAML", () => {
    expect(() => load(LEAST, "eval.modes=[a, b")).toThrow(expect.objectContaining({ code: "OVERRIDE_NOT_VALID" }));
  });

  test("rejects with CONFIG_NOT_YAML at line and column of a syntax error", () => {
    expect(() => load("name: one\npolicy: { from: ./policy\nseed: 1\n")).toThrow(
      expect.objectContaining({
        code: "CONFIG_NOT_YAML",
        message: expect.stringMatching(/^Cannot read the config at \S+run\.yaml:\d+:\d+: \S.+[^.:]$/),
      }),
    );
    expect(() => load("name: one\n\tseed: 1\n")).toThrow(/run\.yaml:2:1: .*[Tt]ab/);
  });

  test("rejects a file that holds something else than settings", () => {
    expect(problems("- a\n- b\n")).toEqual(['run.yaml:1:1 the config: ["a","b"] was found, an object is wanted']);
    expect(problems("just text\n", "seed=1")).toEqual([
      'run.yaml:1:1 the config: "just text" was found, an object is wanted',
    ]);
  });

  test("rejects with CONFIG_NOT_FOUND when there is no file", () => {
    const path = join(folder, "none.yaml");
    expect(() => loadConfig(path, [], runConfigSchema)).toThrow(
      expect.objectContaining({
        code: "CONFIG_NOT_FOUND",
        message: `Cannot read the config "${path}": there is no such file`,
      }),
    );
  });

  test("resolves anchors of the file", () => {
    expect(load(`${LEAST}train: &t { steps: 7 }\ndistill: { tokens: 5 }\n`).config.train.steps).toBe(7);
  });
});

describe("pluginEntries()", () => {
  test("writes out the short form", () => {
    const { config } = load(`${LEAST}plugins: [a, { use: b }, { use: c, with: { d: 1 } }]\n`);
    expect(pluginEntries(config.plugins)).toEqual([
      { use: "a", with: {} },
      { use: "b", with: {} },
      { use: "c", with: { d: 1 } },
    ]);
  });
});

describe("loadConfig() of settings that extend a preset", () => {
  const OWN = `extends: ./method/two
policy: { from: ./policy }
environment: { use: arithmetic }
train: { steps: 7 }
`;
  const presets = join(folder, "method", "presets");
  mkdirSync(presets, { recursive: true });
  writeFileSync(join(folder, "method", "index.ts"), "export default {};\n");
  const about = "about: { description: d, source: ours, positions: 64, models: [{ name: m, parameters: 1.0e+6 }] }\n";
  writeFileSync(
    join(presets, "two.yaml"),
    `${about}name: two\ntrain:\n  steps: 9\n  groupSize: 4\nplugins:\n  - use: grpo\n    with: { clipLow: 0.1 }\n`,
  );
  writeFileSync(join(presets, "wrong.yaml"), "about: { description: d }\nname: wrong\n");

  test("lays the file over the preset, the command line over both, and says where each value came from", () => {
    const { config, origins } = load(OWN, "train.promptsPerStep=3");
    expect(config).toMatchObject({ name: "two", train: { steps: 7, groupSize: 4, promptsPerStep: 3 } });
    const from = (path: string) => origins.get(path)?.replaceAll(`${folder}/`, "");
    expect(["name", "train.groupSize", "train.steps", "train.promptsPerStep", "seed"].map(from)).toEqual([
      "./method/two:2",
      "./method/two:5",
      "run.yaml:4",
      "command line",
      "default",
    ]);
  });

  test("changes one setting inside a preset's list of plugins", () => {
    const { config, origins } = load(OWN, "plugins.0.with.clipHigh=0.3");
    expect(pluginEntries(config.plugins)).toMatchObject([{ use: "grpo", with: { clipLow: 0.1, clipHigh: 0.3 } }]);
    expect(origins.get("plugins")).toBe("./method/two:6, command line");
  });

  test("takes another preset from the command line, for an experiment's base too", () => {
    expect(load(`${LEAST}extends: ./method/none\n`, "extends=./method/two").config.train.groupSize).toBe(4);
    writeFileSync(file, `base:\n  ${OWN.trim().replaceAll("\n", "\n  ")}\narms: { a: { train: { steps: 1 } } }\n`);
    const { base, arms } = loadExperiment(file, []).config;
    expect([base.train.steps, base.train.groupSize, arms[0]?.config.train]).toMatchObject([
      7,
      4,
      { steps: 1, groupSize: 4 },
    ]);
  });

  test("names the place in the preset when what is there is wrong", () => {
    writeFileSync(join(presets, "typo.yaml"), `${about}name: typo\ntrain:\n  groupSise: 4\n`);
    expect(problems(OWN.replace("two", "typo"))).toEqual([
      './method/typo:4:3 unknown key "groupSise" in train: did you mean "groupSize"?',
    ]);
  });

  test.each([
    ["./method/tow", 'did you mean "./method/two"?', "PRESET_NOT_FOUND"],
    ["tfpi/qwen3-4v", 'did you mean "tfpi/qwen3-4b"?', "PRESET_NOT_FOUND"],
    ["tpfi/qwen3-4b", 'did you mean "tfpi/qwen3-4b"?', "PRESET_NOT_FOUND"],
    ["nothing-like-it", '"autothink/small"', "PRESET_NOT_FOUND"],
    ["./method/wrong", "about.source:", "PRESET_NOT_VALID"],
  ])("refuses %s with what is known or wrong", (name, text, code) => {
    expect(() => load(OWN.replace("./method/two", name))).toThrow(
      expect.objectContaining({ code, exitCode: 2, message: expect.stringContaining(text) }),
    );
  });
});
