import { describe, expect, it } from "vitest";
import { runConfigSchema, type RunConfig } from "../../../core/src/config/run-config.js";
import { checkLossSettings } from "../../../core/src/hooks/loss-settings.js";
import { lossSpec } from "../../../core/src/run-plan.js";
import { loadPlugins } from "../../../core/src/run-parts.js";
import { PLAN } from "../../plugins/hook-contexts.js";

const configOf = (loss: object, plugins: readonly unknown[] = []): RunConfig =>
  runConfigSchema.parse({ name: "a", policy: { from: "." }, environment: { use: "b" }, plugins, loss });

async function check(loss: object, ...plugins: unknown[]): Promise<void> {
  const config = configOf(loss, plugins);
  checkLossSettings(config.loss, await loadPlugins(config.plugins, "."));
}

describe("checkLossSettings()", () => {
  it.each([
    ["grpo", 0.2],
    ["dr-grpo", 0.2],
    ["dapo", 0.28],
    ["dler", 0.28],
  ])("refuses loss.clipHigh by its name when %s would put its own %d in its place", async (plugin, own) => {
    await expect(check({ clipHigh: 0.4 }, plugin)).rejects.toMatchObject({
      code: "LOSS_SETTING_OVERRULED",
      message: `Cannot plan the run as loss.clipHigh is 0.4 and plugin "${plugin}" has its own clipHigh, ${own}, which would take its place`,
      hint: `Say it to the plugin: { use: ${plugin}, with: { clipHigh: 0.4 } }, or leave loss.clipHigh out`,
    });
  });

  it("refuses loss.clipLow too, also of a plugin that was given another value", async () => {
    await expect(check({ clipLow: 0.1 }, { use: "dapo", with: { clipLow: 0.3 } })).rejects.toMatchObject({
      message: expect.stringContaining('loss.clipLow is 0.1 and plugin "dapo" has its own clipLow, 0.3'),
    });
  });

  it("refuses an entropy bonus that curriculum would leave out, unless it is said to curriculum", async () => {
    const curriculum = { stages: [{ name: "all", maxTokens: 8 }] };
    await expect(check({ entropyCoefficient: 0.01 }, { use: "curriculum", with: curriculum })).rejects.toMatchObject({
      code: "LOSS_SETTING_OVERRULED",
      message: expect.stringContaining(
        'loss.entropyCoefficient is 0.01 and plugin "curriculum" has its own entropyCoefficient, 0,',
      ),
    });
    const told = { use: "curriculum", with: { ...curriculum, entropyCoefficient: 0.01 } };
    await check({ entropyCoefficient: 0.01 }, told);
    await check({ entropyCoefficient: 0 }, { use: "curriculum", with: curriculum });
    await check({ entropyCoefficient: 0.01 }, "dapo");
  });

  it("accepts what both agree on, what only one says, and plugins without bounds", async () => {
    await check({ clipLow: 0.2, clipHigh: 0.2 }, "grpo");
    await check({ clipHigh: 0.4 }, { use: "dapo", with: { clipHigh: 0.4 } });
    await check({}, "dapo");
    await check({ clipLow: 0.1, clipHigh: 0.4 }, "rloo", "autothink");
  });
});

describe("lossSpec()", () => {
  it("clips at what the config says, and at 0.2 on either side when it says nothing", () => {
    expect(lossSpec(configOf({ clipHigh: 0.4 }), PLAN)).toMatchObject({ clipLow: 0.2, clipHigh: 0.4 });
    expect(lossSpec(configOf({}), PLAN)).toMatchObject({ clipLow: 0.2, clipHigh: 0.2, entropyCoefficient: 0 });
    expect(lossSpec(configOf({ entropyCoefficient: 0.1 }), PLAN)).toMatchObject({ entropyCoefficient: 0.1 });
  });
});
