import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isExperimentFile, loadExperiment, type ExperimentConfig } from "../../../core/src/config/experiment-config.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const file = join(folder, "experiment.yaml");

const BASE = `base:
  name: pair
  policy: { from: ./policy }
  environment: { use: arithmetic, with: { minSteps: 1, maxSteps: 3 } }
  distill: { tokens: 100 }
  plugins: [a, b]
  train: { steps: 0, groupSize: 4 }
`;

function load(arms: string, ...overrides: readonly string[]): ExperimentConfig {
  writeFileSync(file, `${BASE}arms:\n${arms}`);
  return loadExperiment(file, overrides).config;
}

describe("loadExperiment()", () => {
  test("lays every arm over the base: objects are joined, lists replaced", () => {
    const { base, arms } = load(`  one:
    plugins: [c]
    train: { steps: 5 }
    environment: { with: { maxSteps: 6 } }
  two: {}
`);
    expect(base).toMatchObject({ name: "pair", plugins: ["a", "b"], train: { steps: 0 }, distill: { tokens: 100 } });
    expect(arms.map(({ name }) => name)).toEqual(["one", "two"]);
    expect(arms[0]?.config).toMatchObject({
      name: "one",
      plugins: ["c"],
      train: { steps: 5, groupSize: 4 },
      environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 6 } },
    });
    expect(arms[1]?.config).toMatchObject({ name: "two", plugins: ["a", "b"], train: { steps: 0 } });
    // The base alone is taught; arms start from it.
    expect(arms.map(({ config }) => config.distill)).toEqual([undefined, undefined]);
  });

  test("lets a setting of the base reach every arm that has none of its own", () => {
    const { base, arms } = load(
      "  one: { train: { steps: 5 } }\n  two: {}\n",
      "base.seed=9",
      "base.train.groupSize=6",
      "arms.two.train.steps=3",
    );
    expect(
      [base, ...arms.map(({ config }) => config)].map(({ seed, train }) => [seed, train.groupSize, train.steps]),
    ).toEqual([
      [9, 6, 0],
      [9, 6, 5],
      [9, 6, 3],
    ]);
  });

  test("refuses a setting of an arm that the file does not have, naming the nearest", () => {
    expect(() => load("  one: {}\n  other: {}\n", "arms.othr.train.steps=3")).toThrow(
      expect.objectContaining({
        code: "OVERRIDE_NOT_VALID",
        message:
          'Cannot read the setting "arms.othr.train.steps=3": no arm is named "othr": did you mean "other"? (arms: one, other)',
      }),
    );
  });

  test("names arm, path and the nearest known key of a problem", () => {
    expect(() => load("  one:\n    train: { groupSise: 5 }\n    eval: { tasks: 0 }\n")).toThrow(
      expect.objectContaining({
        code: "CONFIG_NOT_VALID",
        message: expect.stringMatching(
          /experiment\.yaml:10:14 unknown key "groupSise" in arms\.one\.train: did you mean "groupSize"\?\n.*experiment\.yaml:11:13 arms\.one\.eval\.tasks: 0 was found, at least 1 is wanted$/,
        ),
      }),
    );
  });
});

describe("isExperimentFile()", () => {
  test("tells an experiment from a run, and leaves a broken file to whoever loads it", () => {
    load("  one: {}\n");
    expect(isExperimentFile(file)).toBe(true);
    const run = join(folder, "run.yaml");
    writeFileSync(run, "name: one\n");
    expect(isExperimentFile(run)).toBe(false);
    writeFileSync(run, "arms: [\n");
    expect(isExperimentFile(run)).toBe(false);
    expect(isExperimentFile(join(folder, "none.yaml"))).toBe(false);
  });
});
