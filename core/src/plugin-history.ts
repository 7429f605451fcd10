import { pluginEntries } from "./config/run-config.js";
import { errors } from "./errors.js";
import { versionOf } from "./hooks/hook-runner.js";
import { Method } from "./hooks/method.js";
import { buildPlugin, configurePlugin, type LoadedPlugin } from "./hooks/plugin-loader.js";
import { PluginArchive } from "./live/plugin-archive.js";
import type { JsonObject } from "./records/json.js";
import type { RunEvent } from "./records/run-event.js";
import type { ReplayOptions } from "./replay.js";
import type { SavedRun } from "./run-checkpoint.js";
import type { Rollout } from "./store/rollouts.js";

/** A change of plugins that a run recorded. */
export type PluginEvent = RunEvent & { type: "plugin" };

/** The plugins of every step, as the run's folder tells them. */
export class PluginHistory {
  readonly #options: ReplayOptions;
  readonly #archive: PluginArchive;
  readonly #changes: PluginEvent[];
  /** States of versions that were replaced, newest first: what a roll-back goes back to. */
  readonly #earlier = new Map<string, JsonObject[]>();

  constructor(options: ReplayOptions, changes: readonly PluginEvent[]) {
    this.#options = options;
    this.#archive = new PluginArchive(options.directory.pluginVersions);
    this.#changes = [...changes];
  }

  /** The method of the first step: that of the checkpoint before it, or by the versions that its samples name. */
  first(rollouts: readonly Rollout[], step: number, saved: SavedRun | undefined): Method {
    const { config } = this.#options;
    const make = (plugins: readonly LoadedPlugin[]): Method =>
      new Method({
        seed: config.seed,
        plugins,
        states: saved?.plugins ?? {},
        onEvent: () => {},
        hookDeadlineMs: config.live.hookDeadlineMs,
      });
    if (saved?.live) {
      for (const [name, versions] of Object.entries(saved.live.earlier ?? {}))
        this.#earlier.set(
          name,
          versions.map(({ state }) => state),
        );
      return make(saved.live.plugins.map((entry) => this.#archive.load(entry)));
    }
    const versions = new Map(Object.entries(rollouts[0]?.record.plugins ?? {}));
    // Changes before the first step are taken back here, and made again like all others.
    for (const { plugin, from } of this.#changes.filter((change) => change.step <= step).toReversed()) {
      if (from === "") versions.delete(plugin);
      else versions.set(plugin, from);
    }
    // Rollouts name the plugins in the order of the config.
    const entries = pluginEntries(config.plugins);
    return make(
      [...versions].map(([name, version], i) => ({
        ...this.#load(name, version, entries[i]?.with ?? {}),
        steps: entries[i]?.steps,
      })),
    );
  }

  /** The method after the changes that were made before a step. */
  advance(method: Method, step: number): Method {
    let current = method;
    while (this.#changes[0] && this.#changes[0].step <= step) current = this.#apply(current, this.#changes.shift()!);
    return current;
  }

  /** Whether the next change is one that a failure before a step may have made. */
  hasFailure(step: number): boolean {
    const [change] = this.#changes;
    return change?.step === step && (change.action === "roll-back" || change.action === "unload");
  }

  /** The method after the next change alone: it was made as soon as a hook failed. */
  rescued(method: Method): Method {
    const change = this.#changes.shift();
    return change ? this.#apply(method, change) : method;
  }

  /** The method with the plugin that was asked for in place of the recorded one. @throws PLUGIN_NOT_LOADED, PLUGIN_NAME_DIFFERS */
  async replaced(method: Method, replace: NonNullable<ReplayOptions["replace"]>): Promise<Method> {
    const { config, baseDirectory } = this.#options;
    const index = method.plugins.findIndex(({ plugin }) => plugin.name === replace.plugin);
    if (index < 0) throw errors.pluginNotLoaded({ plugin: replace.plugin, loaded: Object.keys(method.versions) });
    const built = await buildPlugin(replace.use, baseDirectory);
    const found = built.plugin.name;
    if (found !== replace.plugin) throw errors.pluginNameDiffers({ plugin: replace.plugin, use: replace.use, found });
    const settings = replace.with ?? pluginEntries(config.plugins)[index]?.with ?? {};
    const steps = method.plugins[index]?.steps;
    return method.with(method.plugins.with(index, { ...configurePlugin(built, settings), steps }));
  }

  #apply(method: Method, change: PluginEvent): Method {
    const { plugin: name, to, action, settings } = change;
    // A version that could not save its state was rolled back for it.
    const { states } = method.savedStates();
    const others = method.plugins.filter(({ plugin }) => plugin.name !== name);
    if (to === "") return method.with(others, states);
    const index = method.plugins.findIndex(({ plugin }) => plugin.name === name);
    const loaded = { ...this.#load(name, to, settings), steps: method.plugins[index]?.steps };
    const earlier = this.#earlier.get(name) ?? [];
    if (action === "roll-back") {
      this.#earlier.set(name, earlier.slice(1));
      return method.with(method.plugins.with(index, loaded), { ...states, ...earlier[0] });
    }
    const state = states[name];
    if (index >= 0) this.#earlier.set(name, [state === undefined ? {} : { [name]: state }, ...earlier]);
    return method.with(index < 0 ? [...method.plugins, loaded] : method.plugins.with(index, loaded), states);
  }

  #load(name: string, version: string, settings: Readonly<Record<string, unknown>>): LoadedPlugin {
    const loaded = configurePlugin(this.#archive.load({ name, version, config: undefined }), settings);
    if (versionOf(loaded) !== version)
      throw errors.replayNotPossible({
        run: this.#options.directory.id,
        step: 0,
        problem: `the archived code of plugin "${name}" is ${versionOf(loaded)}, not ${version}`,
      });
    return loaded;
  }
}
