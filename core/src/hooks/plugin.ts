import type { z } from "zod";
import type { JsonValue } from "../records/json.js";
import type { PluginHooks } from "./hooks.js";

/** The hook API version that this runtime speaks. */
export const PLUGIN_API = 1;

/** A method, or a part of one: the default export of its module, made by `definePlugin`. */
export interface Plugin<Config = unknown, State = unknown> {
  readonly name: string;
  readonly version: string;
  readonly api: typeof PLUGIN_API;
  /** One sentence for lists. */
  readonly description: string;
  /** Every field with a description; unknown keys are refused. */
  readonly config: z.ZodType<Config>;
  /** Evaluation modes whose prompts this plugin formats; in such a mode no other plugin's `format` runs. */
  readonly modes?: readonly string[];
  /** Makes the state; `previous` is what `dispose` of the version before returned, or a checkpoint held. */
  readonly init?: (config: Config, previous: JsonValue | undefined) => State;
  /** Returns the state as plain data. By default the state itself. */
  readonly dispose?: (state: State) => JsonValue;
  readonly hooks: PluginHooks<Config, State>;
}

/**
 * Declares a plugin. Types of config and state flow into every hook.
 *
 * @example
 * export default definePlugin({
 *   name: "length-penalty", version: "1.0.0", description: "Takes a little off long answers",
 *   config: z.strictObject({ perToken: z.number().default(0.001).describe("reward lost per response token") }),
 *   hooks: {
 *     reward: {
 *       reads: ["length"], writes: ["reward"],
 *       run: (ctx, cohort, rewards_N) =>
 *         samplesOf(cohort).map(({ trajectory }, i) => rewards_N[i]! - ctx.config.perToken * responseLength(trajectory)),
 *     },
 *   },
 * });
 */
export function definePlugin<Schema extends z.ZodType, State = undefined>(
  plugin: Omit<Plugin<z.output<Schema>, State>, "api" | "config"> & { readonly config: Schema },
): Plugin<z.output<Schema>, State> {
  // A schema's output type is what its parse gives; zod's variance does not let the compiler see it.
  return { ...plugin, api: PLUGIN_API } as unknown as Plugin<z.output<Schema>, State>;
}
