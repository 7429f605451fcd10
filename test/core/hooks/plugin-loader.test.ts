import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  activePlugins,
  loadPlugin,
  parcelOf,
  unpackPlugin,
  type LoadedPlugin,
} from "../../../core/src/hooks/plugin-loader.js";
import type { StepWindow } from "../../../core/src/hooks/step-window.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writePlugin } from "../../support/write-plugin.js";

const folder = temporaryFolder();

function writeExport(file: string, value: string): string {
  const path = join(folder, `${file}.ts`);
  writeFileSync(path, `import { z } from "@troupe/core/sdk";\nexport default ${value};\n`);
  return path;
}

describe("loadPlugin()", () => {
  test("checks the settings with the plugin's own schema and fills in its defaults", async () => {
    const path = writePlugin(folder, "with-settings", {
      config: "z.strictObject({ a: z.number(), b: z.string().default('c') })",
    });
    await expect(loadPlugin(path, { a: 1 }, folder)).resolves.toMatchObject({
      plugin: { name: "with-settings", api: 1 },
      config: { a: 1, b: "c" },
    });
  });

  test("rejects with PLUGIN_CONFIG_NOT_VALID and every problem with its path", async () => {
    const path = writePlugin(folder, "strict", {
      config: "z.strictObject({ a: z.number(), deep: z.strictObject({ b: z.string() }) })",
    });
    await expect(loadPlugin(path, { a: "x", deep: { b: 1 }, c: 2 }, folder)).rejects.toMatchObject({
      code: "PLUGIN_CONFIG_NOT_VALID",
      exitCode: 2,
      message:
        'Cannot use the settings of plugin "strict": a: "x" was found, a number is wanted; deep.b: 1 was found, a text is wanted; unknown key "c" in the settings; known keys are a, deep',
    });
  });

  test("rejects with PLUGIN_API_UNKNOWN for another API", async () => {
    const path = writeExport(
      "future",
      '{ name: "future", version: "1.0.0", api: 7, config: z.strictObject({}), hooks: {} }',
    );
    await expect(loadPlugin(path, {}, folder)).rejects.toMatchObject({
      code: "PLUGIN_API_UNKNOWN",
      message: 'Cannot use plugin "future": it is built for hook API 7, this runtime speaks 1',
    });
  });

  test.each([
    ["a-function", "() => 1", "the default export is not an object made by definePlugin()"],
    ["nothing", "null", "the default export is not an object made by definePlugin()"],
    ["no-name", '{ version: "1.0.0" }', '"name" is missing'],
    ["no-version", '{ name: "a" }', '"version" is missing'],
    ["no-schema", '{ name: "a", version: "1", api: 1, config: {} }', '"config" is not a zod schema'],
    ["no-hooks", '{ name: "a", version: "1", api: 1, config: z.any() }', '"hooks" is missing'],
    [
      "bare-hook",
      '{ name: "a", version: "1", api: 1, config: z.any(), hooks: { reward: () => 1 } }',
      'hook "reward" has no function "run"',
    ],
    [
      "odd-hook",
      '{ name: "a", version: "1", api: 1, config: z.any(), hooks: { rewrad: { run() {} } } }',
      'there is no hook "rewrad"; hooks are plan, select, ',
    ],
  ])("rejects with PLUGIN_NOT_VALID for %s", async (file, value, problem) => {
    const path = writeExport(file, value);
    await expect(loadPlugin(path, {}, folder)).rejects.toMatchObject({
      code: "PLUGIN_NOT_VALID",
      exitCode: 3,
      message: expect.stringContaining(`Cannot use plugin "${path}": ${problem}`),
    });
  });
});

describe("unpackPlugin()", () => {
  test("makes the same plugin from what travels to another thread", async () => {
    const path = writePlugin(folder, "traveller", {
      config: "z.strictObject({ by: z.number() })",
      hooks: "{ reward: { run: (ctx, _cohort, rewards_N) => rewards_N.map((reward) => reward + ctx.config.by) } }",
    });
    const { bundle, config } = await loadPlugin(path, { by: 2 }, folder);
    const there = unpackPlugin(structuredClone({ bundle, config }));
    expect(there).toMatchObject({ plugin: { name: "traveller", version: "1.0.0" }, config: { by: 2 } });
    expect(Object.keys(there.plugin.hooks)).toEqual(["reward"]);
  });
});

describe("activePlugins()", () => {
  test("runs all of the run's plugins in training, and in an evaluation only the one that names the mode", async () => {
    const load = (name: string, modes: string) =>
      loadPlugin(writePlugin(folder, name, { more: `modes: ${modes},` }), {}, folder);
    const run = [await load("plain", "[]"), await load("shorter", '["short"]')];
    const only = [await load("longer", '["long", "longest"]')];
    const namesIn = (phase: "train" | "eval", mode: string): readonly string[] =>
      activePlugins(run, only, { phase, mode, step: 1 }).map(({ plugin }) => plugin.name);
    expect(namesIn("train", "default")).toEqual(["plain", "shorter"]);
    expect(namesIn("eval", "default")).toEqual([]);
    expect(namesIn("eval", "short")).toEqual(["shorter"]);
    expect(namesIn("eval", "longest")).toEqual(["longer"]);
  });

  test("leaves a plugin out of training in the steps that are not its own, and out of no evaluation", async () => {
    const load = async (name: string, steps: StepWindow): Promise<LoadedPlugin> => ({
      ...(await loadPlugin(writePlugin(folder, name, { more: `modes: ["${name}"],` }), {}, folder)),
      steps,
    });
    const run = [await load("early", { to: 3 }), await load("late", { from: 4, to: 5 })];
    const sent = run.map((loaded) => unpackPlugin(structuredClone(parcelOf(loaded))));
    const namesAt = (step: number): readonly string[] =>
      activePlugins(sent, [], { phase: "train", mode: "default", step }).map(({ plugin }) => plugin.name);
    expect([1, 3, 4, 5, 6].map(namesAt)).toEqual([["early"], ["early"], ["late"], ["late"], []]);
    expect(activePlugins(sent, [], { phase: "eval", mode: "late", step: 0 })).toHaveLength(1);
  });
});
