import type { RunConfig } from "../config/run-config.js";
import { errors } from "../errors.js";
import type { LoadedPlugin } from "./plugin-loader.js";

/** Settings of the loss that methods have defaults of their own for. */
const SHARED = ["clipLow", "clipHigh", "entropyCoefficient"] as const;

/**
 * Refuses a setting of the loss where a plugin has one of the same name and another value: the plugin's would take its
 * place, and the run would not be the one that was asked for.
 *
 * @throws LOSS_SETTING_OVERRULED
 */
export function checkLossSettings(loss: RunConfig["loss"], plugins: readonly LoadedPlugin[]): void {
  for (const setting of SHARED) {
    const wanted = loss[setting];
    if (wanted === undefined) continue;
    for (const { plugin, config } of plugins) {
      const own =
        typeof config === "object" && config !== null ? new Map(Object.entries(config)).get(setting) : undefined;
      if (own !== undefined && own !== wanted)
        throw errors.lossSettingOverruled({ setting, wanted, plugin: plugin.name, own: String(own) });
    }
  }
}
