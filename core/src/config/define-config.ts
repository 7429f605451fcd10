import type { z } from "zod";
import type { experimentSchema, runConfigSchema } from "./run-config.js";

/** Settings of a run as a config file gives them: what has a default may be left out. */
export type RunSettings = Partial<z.input<typeof runConfigSchema>> & {
  /** A plugin's preset, "<plugin>/<preset>", that these settings are laid over. */
  readonly extends?: string;
};

/** Settings of an experiment as a config file gives them. */
export type ExperimentSettings = z.input<typeof experimentSchema>;

/**
 * Gives the settings of a TypeScript config their types; the file's default export is the result.
 *
 * @example
 * defineConfig({ name: "mine", policy: { from: "./policy" }, environment: { use: "arithmetic" } }).name; // "mine"
 */
export function defineConfig<Settings extends RunSettings | ExperimentSettings>(settings: Settings): Settings {
  return settings;
}
