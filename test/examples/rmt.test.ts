import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../core/src/config/load-config.js";
import { runConfigSchema } from "../../core/src/config/run-config.js";
import { loadEnvironment } from "../../core/src/environments/environment-loader.js";
import { planLoaded } from "../../core/src/hooks/planner.js";
import { checkModes, loadPlugins } from "../../core/src/run-parts.js";

const folder = fileURLToPath(new URL("../../examples/rmt/", import.meta.url));

describe("examples/rmt", () => {
  test.each(["tiny.yaml", "rlvr.yaml"])(
    "%s is a config whose plugins, environment and modes are there",
    async (file) => {
      const { config, baseDirectory } = loadConfig(folder + file, [], runConfigSchema);
      const plugins = await loadPlugins(config.plugins, baseDirectory);
      expect(() => planLoaded(plugins)).not.toThrow();
      expect(() => checkModes(config.eval.modes, plugins)).not.toThrow();
      const { definition } = await loadEnvironment(config.environment.use, config.environment.with, baseDirectory);
      expect(definition.teacher).toBeDefined();
    },
  );

  test("shows the taught policy the instruction that the method will write", () => {
    const { config } = loadConfig(`${folder}tiny.yaml`, [], runConfigSchema);
    expect(config.plugins).toMatchObject([{ with: { thinkBudget: { instruction: "{budget} tokens" } } }]);
    expect(config.environment.with).toMatchObject({ teacher: { budget: { instruction: "{budget} tokens" } } });
  });
});
