import { errors } from "../errors.js";
import { deriveKey, Random } from "../numerics/random.js";
import type { JsonObject } from "../records/json.js";
import type { HookName, PluginHooks } from "./hooks.js";
import { enterHook } from "./hook-deadline.js";
import { placeOf } from "./module-bundle.js";
import type { LoadedPlugin } from "./plugin-loader.js";

type Run<Name extends HookName> = NonNullable<PluginHooks<unknown, unknown>[Name]>["run"];
type Rest<Name extends HookName> = Parameters<Run<Name>> extends [unknown, ...infer Others] ? Others : never;

/** What is the same for every call of one hook: `about` names the subject in errors and keys its chance. */
export interface HookCall {
  readonly seed: number;
  readonly step: number;
  readonly about: string;
  /** Context fields beside plugin, config, step and random. */
  readonly context: (loaded: LoadedPlugin) => object;
}

/**
 * Runs one hook of one plugin. Hooks are synchronous: a promise is refused, as the step would go on without it.
 *
 * @throws HOOK_FAILED with plugin, hook, subject and the place in the plugin's source
 */
export function runHook<Name extends HookName>(
  loaded: LoadedPlugin,
  name: Name,
  call: HookCall,
  rest: Rest<Name>,
): ReturnType<Run<Name>> | undefined {
  const hook = loaded.plugin.hooks[name];
  if (!hook) return undefined;
  const context = {
    plugin: loaded.plugin.name,
    config: loaded.config,
    step: call.step,
    random: new Random(deriveKey(call.seed, call.step, loaded.plugin.name, name, call.about)),
    ...call.context(loaded),
  };
  const fail = (problem: string, cause?: unknown): Error =>
    errors.hookFailed(
      {
        plugin: loaded.plugin.name,
        version: loaded.plugin.version,
        hook: name,
        about: call.about,
        step: call.step,
        problem,
        place: cause ? placeOf(cause, loaded.bundle) : "",
      },
      cause,
    );
  let answer: unknown;
  const { name: plugin, version } = loaded.plugin;
  enterHook({ plugin, version, hook: name, about: call.about, step: call.step });
  try {
    // The table ties each hook's arguments to its name; the union of all hooks hides that from the compiler.
    answer = (hook.run as (...args: unknown[]) => unknown)(context, ...rest);
  } catch (cause) {
    throw fail(String(cause), cause);
  }
  enterHook(undefined);
  // Only `then` is looked at.
  if (typeof (answer as { then?: unknown } | null | undefined)?.then === "function")
    throw fail("it returned a promise; hooks are synchronous");
  // The table says what this hook returns; callers check lengths and finiteness where they use it.
  return answer as ReturnType<Run<Name>> | undefined;
}

/** Runs `init` or `dispose` of a plugin. @throws PLUGIN_STATE_FAILED with the place in the plugin's source */
export function withState<Result>(
  { plugin, bundle }: LoadedPlugin,
  action: "make" | "save",
  run: () => Result,
): Result {
  const hook = action === "make" ? "init" : "dispose";
  enterHook({ plugin: plugin.name, version: plugin.version, hook, about: "its state", step: 0 });
  try {
    return run();
  } catch (cause) {
    const { name, version } = plugin;
    const details = { plugin: name, version, action, problem: String(cause), place: placeOf(cause, bundle) };
    throw errors.pluginStateFailed(details, cause);
  }
}

/** Refuses numbers that a hook may not return: a wrong count, NaN or infinity. @throws HOOK_RESULT_NOT_VALID */
export function checkNumbers(
  loaded: LoadedPlugin,
  hook: HookName,
  step: number,
  values: readonly number[],
  length: number,
  nameOf: (index: number) => string,
): void {
  const bad = (problem: string): Error =>
    errors.hookResultNotValid({ plugin: loaded.plugin.name, version: loaded.plugin.version, hook, step, problem });
  if (values.length !== length) throw bad(`it returned ${values.length} numbers for ${length} samples`);
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) throw bad(`sample "${nameOf(index)}" got ${String(values[index])}, a finite number is wanted`);
}

/** What tells two builds of a plugin apart: its version and the hash of its code. */
export function versionOf({ plugin, bundle }: LoadedPlugin): string {
  return `${plugin.version}+${bundle.hash}`;
}

/** Plugin name → version, for records. */
export function versionsOf(plugins: readonly LoadedPlugin[]): Readonly<Record<string, string>> {
  return Object.fromEntries(plugins.map((loaded) => [loaded.plugin.name, versionOf(loaded)]));
}

/** Annotations of several plugins merged in order. @throws HOOK_RESULT_NOT_VALID when two plugins write one name */
export function mergeAnnotations(
  loaded: LoadedPlugin,
  hook: HookName,
  step: number,
  into: JsonObject,
  more: JsonObject | undefined,
): JsonObject {
  const clash = Object.keys(more ?? {}).find((key) => key in into);
  if (clash) {
    throw errors.hookResultNotValid({
      plugin: loaded.plugin.name,
      version: loaded.plugin.version,
      hook,
      step,
      problem: `annotation "${clash}" is already there`,
    });
  }
  return { ...into, ...more };
}
