import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { isExperimentFile } from "../../../core/src/config/experiment-config.js";
import { loadConfig } from "../../../core/src/config/load-config.js";
import { runConfigSchema } from "../../../core/src/config/run-config.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

function writeConfig(source: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules", "@troupe"), { recursive: true });
  symlinkSync(
    fileURLToPath(new URL("../../../core", import.meta.url)),
    join(folder, "node_modules", "@troupe", "core"),
  );
  const file = join(folder, "run.ts");
  writeFileSync(file, source);
  return file;
}

const GOOD = `import { defineConfig } from "@troupe/core/sdk";
const steps: number = 2 * 5;
export default defineConfig({ name: "mine", policy: { from: "./policy" }, environment: { use: "arithmetic" }, train: { steps } });`;

describe("loadConfig() of a TypeScript file", () => {
  test("takes the default export, lets settings of the command line win, and says where each value came from", () => {
    const file = writeConfig(GOOD);
    const { config, origins } = loadConfig(file, ["train.groupSize=4"], runConfigSchema);
    expect(config.train).toMatchObject({ steps: 10, groupSize: 4 });
    expect([origins.get("train.steps"), origins.get("train.groupSize"), origins.get("seed")]).toEqual([
      file,
      "command line",
      "default",
    ]);
  });

  test("names the file, the path and the nearest key of a problem", () => {
    const file = writeConfig(GOOD.replace("train: { steps }", "train: { stepz: steps }"));
    expect(() => loadConfig(file, [], runConfigSchema)).toThrow(/run\.ts.*"stepz".*"steps"/s);
  });

  test.each([
    ["throws", "throw new Error('not today');", "not today"],
    ["has no default export", "export const name = 1;", "no default export"],
    ["does not parse", "export default {", "run.ts"],
  ])("refuses one that %s", (_, source, problem) => {
    expect(() => loadConfig(writeConfig(source), [], runConfigSchema)).toThrow(problem);
  });

  test("tells an experiment from a run", () => {
    expect(isExperimentFile(writeConfig(GOOD))).toBe(false);
    expect(isExperimentFile(writeConfig("export default { base: {}, arms: {} };"))).toBe(true);
  });
});
