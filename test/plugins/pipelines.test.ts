import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { planHooks } from "../../core/src/hooks/planner.js";
import { loadPlugin } from "../../core/src/hooks/plugin-loader.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const METHODS = ["tfpi", "autothink"];
const OBJECTIVES = ["grpo", "dapo", "dr-grpo", "rloo", "reinforce-plus-plus"];

/** Loads plugins by name, as a run does, and plans their hooks. */
async function plan(...names: string[]) {
  const loaded = await Promise.all(names.map((name) => loadPlugin(name, {}, ROOT)));
  return planHooks(loaded.map(({ plugin }) => plugin));
}

describe("planHooks()", () => {
  it.each(METHODS.flatMap((method) => OBJECTIVES.map((objective) => [method, objective] as const)))(
    "accepts %s when it comes with %s, both loaded by name",
    async (method, objective) => {
      const hooks = await plan(method, objective);
      expect(hooks.filter((line) => line.writes.includes("advantage")).map((line) => line.plugin)).toEqual([objective]);
    },
  );

  it("refuses tfpi and autothink together, as both write the assistant prefix", async () => {
    await expect(plan("tfpi", "autothink")).rejects.toMatchObject({ code: "PLUGIN_CONFLICT" });
  });

  it("refuses two objectives together, as both compute advantages", async () => {
    await expect(plan("grpo", "rloo")).rejects.toMatchObject({ code: "PLUGIN_CONFLICT" });
  });
});
