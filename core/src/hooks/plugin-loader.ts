import type { z } from "zod";
import { describeProblems } from "../config/describe-problems.js";
import { errors } from "../errors.js";
import { HOOKS } from "./hooks.js";
import { bundleModule, evaluateBundle, type ModuleBundle } from "./module-bundle.js";
import { PLUGIN_API, type Plugin } from "./plugin.js";
import { isInWindow, type StepWindow } from "./step-window.js";

/** A plugin as it travels to the threads that run its hooks: code and checked config, no functions. */
export interface PluginParcel {
  readonly bundle: ModuleBundle;
  readonly config: unknown;
  readonly steps?: StepWindow | undefined;
}

/** A plugin on this thread, without settings. */
export interface BuiltPlugin {
  readonly plugin: Plugin;
  readonly bundle: ModuleBundle;
}

/** A plugin ready to run on this thread. */
export interface LoadedPlugin extends BuiltPlugin {
  readonly config: unknown;
  /** Steps in which it is part of the run; absent is all. */
  readonly steps?: StepWindow | undefined;
}

/**
 * Builds a plugin, evaluates it on this thread and checks its settings.
 *
 * @throws MODULE_NOT_FOUND, MODULE_BUILD_FAILED, MODULE_LOAD_FAILED, PLUGIN_NOT_VALID, PLUGIN_API_UNKNOWN, PLUGIN_CONFIG_NOT_VALID
 */
export async function loadPlugin(use: string, settings: unknown, baseDirectory: string): Promise<LoadedPlugin> {
  return configurePlugin(await buildPlugin(use, baseDirectory), settings);
}

/**
 * Builds a plugin and evaluates it on this thread, without settings.
 *
 * @throws MODULE_NOT_FOUND, MODULE_BUILD_FAILED, MODULE_LOAD_FAILED, PLUGIN_NOT_VALID, PLUGIN_API_UNKNOWN
 */
export async function buildPlugin(use: string, baseDirectory: string): Promise<BuiltPlugin> {
  const bundle = await bundleModule("plugin", use, baseDirectory);
  return { plugin: checkPlugin(use, evaluateBundle("plugin", use, bundle)), bundle };
}

/** Gives a plugin its settings. @throws PLUGIN_CONFIG_NOT_VALID */
export function configurePlugin({ plugin, bundle }: BuiltPlugin, settings: unknown): LoadedPlugin {
  const parsed = plugin.config.safeParse(settings);
  if (!parsed.success) {
    const problems = problemsOf(parsed.error, plugin.config, settings);
    throw errors.pluginConfigNotValid({ plugin: plugin.name, problems });
  }
  return { plugin, config: parsed.data, bundle };
}

/** A plugin as other threads get it. */
export function parcelOf({ bundle, config, steps }: LoadedPlugin): PluginParcel {
  return { bundle, config, ...(steps === undefined ? {} : { steps }) };
}

/** Evaluates a parcel on another thread than the one that built it. */
export function unpackPlugin(parcel: PluginParcel): LoadedPlugin {
  const name = parcel.bundle.path;
  return { ...parcel, plugin: checkPlugin(name, evaluateBundle("plugin", name, parcel.bundle)) };
}

/**
 * The plugins whose hooks run for an order: in training those of the run that take part in its step; in an evaluation
 * mode only the plugin that names the mode, and in mode "default" none.
 */
export function activePlugins(
  plugins: readonly LoadedPlugin[],
  evalPlugins: readonly LoadedPlugin[],
  order: { readonly phase: "train" | "eval"; readonly mode: string; readonly step: number },
): readonly LoadedPlugin[] {
  return order.phase === "train"
    ? plugins.filter(({ steps }) => isInWindow(steps, order.step))
    : [...plugins, ...evalPlugins].filter(({ plugin }) => plugin.modes?.includes(order.mode));
}

/** Every problem with a value that a schema refused, on one line: path, what was found, what is wanted. */
export function problemsOf(error: z.ZodError, schema: z.ZodType, value: unknown): string {
  return describeProblems(error, { schema, value, place: () => "", name: "the settings" }).join("; ");
}

function checkPlugin(use: string, value: unknown): Plugin {
  // Each property that the runtime relies on is checked below before it is used.
  const plugin = value as Partial<Plugin>;
  const bad = (problem: string): Error => errors.pluginNotValid({ use, problem });
  if (typeof value !== "object" || value === null)
    throw bad("the default export is not an object made by definePlugin()");
  if (typeof plugin.name !== "string" || !plugin.name) throw bad('"name" is missing');
  if (typeof plugin.version !== "string" || !plugin.version) throw bad('"version" is missing');
  if (plugin.api !== PLUGIN_API)
    throw errors.pluginApiUnknown({ plugin: plugin.name, found: String(plugin.api), wanted: PLUGIN_API });
  if (typeof plugin.config?.safeParse !== "function") throw bad('"config" is not a zod schema');
  if (typeof plugin.hooks !== "object" || plugin.hooks === null) throw bad('"hooks" is missing');
  for (const [hook, entry] of Object.entries(plugin.hooks)) {
    if (!(hook in HOOKS)) throw bad(`there is no hook "${hook}"; hooks are ${Object.keys(HOOKS).join(", ")}`);
    // Only `run` is read here.
    if (typeof (entry as { run?: unknown } | undefined)?.run !== "function")
      throw bad(`hook "${hook}" has no function "run"`);
  }
  // All required properties were just checked.
  return plugin as Plugin;
}
