import { describe, expect, test } from "vitest";
import { z } from "zod";
import { planHooks } from "../../../core/src/hooks/planner.js";
import { definePlugin, type Plugin } from "../../../core/src/hooks/plugin.js";
import type { PluginHooks } from "../../../core/src/hooks/hooks.js";
import { loadPlugin } from "../../../core/src/hooks/plugin-loader.js";

function plugin(name: string, hooks: PluginHooks<Record<string, never>, undefined>): Plugin {
  // A plugin without settings and state takes any.
  return definePlugin({
    name,
    version: "1.0.0",
    description: "",
    config: z.strictObject({}),
    hooks,
  }) as unknown as Plugin;
}

const nothing = (): undefined => undefined;

describe("planHooks()", () => {
  test("orders hooks as a step calls them, and plugins within a hook as the config does", () => {
    const planned = planHooks([
      plugin("second", { observe: { run: nothing }, plan: { run: nothing } }),
      plugin("first", { plan: { writes: ["plan.maxTokens"], run: nothing }, select: { run: nothing } }),
    ]);
    expect(planned).toEqual([
      { hook: "plan", plugin: "second", reads: [], writes: [] },
      { hook: "plan", plugin: "first", reads: [], writes: ["plan.maxTokens"] },
      { hook: "select", plugin: "first", reads: [], writes: [] },
      { hook: "observe", plugin: "second", reads: [], writes: [] },
    ]);
  });

  test("refuses with PLUGIN_DUPLICATE a plugin that is listed twice", () => {
    expect(() => planHooks([plugin("a", {}), plugin("b", {}), plugin("a", {})])).toThrow(
      expect.objectContaining({
        code: "PLUGIN_DUPLICATE",
        message: 'Cannot plan the run as plugin "a" is listed twice',
        exitCode: 2,
      }),
    );
  });

  test.each(["prompt.assistantPrefix", "prompt.forcedPrefix", "advantage", "plan.stage"])(
    "refuses with PLUGIN_CONFLICT two plugins that write %s",
    (field) => {
      const writer = (name: string): Plugin => plugin(name, { format: { writes: [field], run: nothing } });
      expect(() => planHooks([writer("a"), plugin("b", {}), writer("c")])).toThrow(
        expect.objectContaining({
          code: "PLUGIN_CONFLICT",
          message: `Cannot plan the run as "a" and "c" both write "${field}"`,
        }),
      );
      expect(planHooks([writer("a")])).toHaveLength(1);
    },
  );

  test("lets two plugins write an exclusive field when one follows the other, and names the steps that they share", () => {
    const writer = (name: string): Plugin => plugin(name, { plan: { writes: ["plan.stage"], run: nothing } });
    const both = [writer("a"), writer("b")];
    expect(planHooks(both, [{ to: 3 }, { from: 4 }]).map(({ steps }) => steps)).toEqual([{ to: 3 }, { from: 4 }]);
    expect(() => planHooks(both, [{ to: 4 }, { from: 4 }])).toThrow(
      'Cannot plan the run as "a" and "b" both write "plan.stage" in steps 4 to 4',
    );
    expect(() => planHooks(both, [undefined, { from: 4 }])).toThrow('both write "plan.stage" from step 4 on');
  });

  test("lets several plugins write a reward one after the other", () => {
    const shaper = (name: string): Plugin =>
      plugin(name, { reward: { reads: ["reward"], writes: ["reward"], run: nothing } });
    expect(planHooks([shaper("a"), shaper("b")])).toHaveLength(2);
  });

  test("refuses with PLUGIN_READ_UNWRITTEN a read that nobody writes", () => {
    const reader = plugin("reader", { reward: { reads: ["verdict", "annotation.mode"], run: nothing } });
    expect(() => planHooks([reader])).toThrow(
      expect.objectContaining({
        code: "PLUGIN_READ_UNWRITTEN",
        message: 'Cannot plan the run as hook "reward" of plugin "reader" reads "annotation.mode" and nobody writes it',
      }),
    );
    const writer = plugin("writer", { annotate: { writes: ["annotation.mode"], run: nothing } });
    expect(planHooks([reader, writer])).toHaveLength(2);
  });

  test("refuses two installed methods that both claim the assistant's prefix", async () => {
    const both = [await loadPlugin("tfpi", {}, "."), await loadPlugin("autothink", {}, ".")];
    expect(() => planHooks(both.map((loaded) => loaded.plugin))).toThrow(
      'Cannot plan the run as "tfpi" and "autothink" both write "prompt.assistantPrefix"',
    );
  });
});
