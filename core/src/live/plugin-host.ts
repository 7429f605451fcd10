import { systemClock } from "../actors/clock.js";
import type { RunConfig } from "../config/run-config.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { versionOf } from "../hooks/hook-runner.js";
import { checkLossSettings } from "../hooks/loss-settings.js";
import type { Method, SavedStates } from "../hooks/method.js";
import { buildPlugin, configurePlugin, parcelOf, type LoadedPlugin } from "../hooks/plugin-loader.js";
import { planLoaded } from "../hooks/planner.js";
import type { JsonObject } from "../records/json.js";
import type { ArchivedPlugin, PluginArchive } from "./plugin-archive.js";
import type { LivePlugin, PluginChange, PluginChangeResult } from "./plugin-change.js";
import type { PluginList, PreparedPlugins } from "../hooks/plugin-shelf.js";
import { WatchedFiles } from "./watched-files.js";

/** A pool of actors that run plugins. */
export interface PluginPool {
  preparePlugins(prepared: PreparedPlugins): Promise<void>;
}

/** How a run treats its plugins while it works. */
export interface LiveSettings {
  readonly watch: boolean;
  readonly probationSteps: number;
  readonly onHookFailure: "stop" | "remove";
}

/** What a plugin host works with. */
export interface PluginHostOptions {
  readonly method: Method;
  /** Plugin name → its settings as the config has them: a new version reads them with a schema of its own. */
  readonly settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** Actors that run plugins; all have the first list. */
  readonly pools: readonly PluginPool[];
  readonly first: PluginList;
  /** Absent when the run is only read. */
  readonly archive: PluginArchive | undefined;
  readonly live: LiveSettings;
  readonly loss: RunConfig["loss"];
  /** Changes to make again before their steps: the run went back behind them. */
  readonly lost: readonly AppliedChange[];
  /** Where relative paths start. */
  readonly baseDirectory: string;
  readonly onChange: (change: AppliedChange) => void;
  readonly onNotice: (message: string) => void;
}

/** One change of the plugins, as events record it. */
export interface AppliedChange {
  /** The first step with it. */
  readonly step: number;
  readonly plugin: string;
  /** Version and hash; empty for a plugin that was not there before, or is no more. */
  readonly from: string;
  readonly to: string;
  readonly action: "swap" | "load" | "unload" | "roll-back";
  readonly reason: string;
  /** Of the new version. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Milliseconds that training stood still for it. */
  readonly pauseMs: number;
}

/** A plugin in a checkpoint, with its settings as they were given. */
export type SavedPlugin = ArchivedPlugin & { readonly settings: Readonly<Record<string, unknown>> };

/** A version that was replaced, in a checkpoint. */
export type SavedVersion = SavedPlugin & { readonly state: JsonObject; readonly stepsLeft: number };

/** A plugin list as a checkpoint holds it. */
export interface LiveState {
  readonly plugins: readonly SavedPlugin[];
  readonly pinned: readonly string[];
  /** Plugin name → versions that were replaced, newest first, each with its state at that moment. */
  readonly earlier?: Readonly<Record<string, readonly SavedVersion[]>>;
  /** Plugins on probation and the steps that are left of it, the newest change last. */
  readonly probation?: readonly (readonly [name: string, stepsLeft: number])[];
}

interface Held {
  readonly loaded: LoadedPlugin;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A version that was replaced, with its state at that moment. */
interface Earlier extends Held {
  readonly state: JsonObject;
  /** Steps of probation that it had not stood by then. */
  readonly stepsLeft: number;
}

interface Prepared {
  readonly action: AppliedChange["action"];
  readonly name: string;
  /** The list that it changes. */
  readonly base: readonly Held[];
  readonly next: readonly Held[];
  /** Absent when the state of the version before goes on. */
  readonly state?: JsonObject;
  /** Of probation. */
  readonly stepsLeft: number;
  readonly list: PluginList;
  readonly reason: string;
}

interface Queued {
  readonly change: PluginChange;
  readonly reason: string;
  readonly prepared: Promise<Prepared | undefined>;
  readonly settle: (result: PluginChangeResult) => void;
  readonly refuse: (error: unknown) => void;
}

/** The reason of a change that a person asked for. */
export const ASKED_FOR = "asked for";

/** Errors that a plugin is the cause of. */
const PLUGIN_FAULTS = ["HOOK_FAILED", "HOOK_DEADLINE", "HOOK_RESULT_NOT_VALID", "PLUGIN_STATE_FAILED"];

/**
 * The plugins of a run while it works. A change is prepared beside the running step (built, checked against the other
 * plugins, loaded in every thread) and carried out between two steps in all threads at once; what cannot be prepared
 * changes nothing. For its first steps a new version is on probation: a failure puts the old one back, with the state
 * that it had, and the step is done again. It is one file because a change, its probation and the way back are one
 * protocol over the same list.
 */
export class PluginHost {
  readonly #options: PluginHostOptions;
  #method: Method;
  #held: readonly Held[];
  #inUse: PluginList;
  /** Key of a list → orders under way, and changes to come, that name it. */
  readonly #named = new Map<string, number>();
  readonly #earlier = new Map<string, readonly Earlier[]>();
  readonly #pinned = new Set<string>();
  readonly #queue: Queued[] = [];
  /** Changes past the checkpoint that are still to be made again. */
  #lost: readonly AppliedChange[];
  readonly #watched = new WatchedFiles();
  #tail: Promise<unknown> = Promise.resolve();
  #changes = 0;
  #hasChanged = false;
  /** Changes that can still be taken back, the newest last: plugin name → steps of probation that are left. */
  readonly #probation = new Map<string, number>();
  /** What a failure goes back to: the states of the running step's beginning; none while no failure is answered. */
  #states: JsonObject = {};

  /** @param state what a checkpoint held of earlier changes */
  constructor(options: PluginHostOptions, state: LiveState | undefined) {
    this.#options = options;
    this.#lost = options.lost;
    this.#method = options.method;
    this.#held = options.method.plugins.map((loaded) => ({
      loaded,
      settings: options.settings.get(loaded.plugin.name) ?? {},
    }));
    this.#inUse = options.first;
    this.#hasChanged = state !== undefined;
    for (const name of state?.pinned ?? []) this.#pinned.add(name);
    for (const [name, versions] of Object.entries(state?.earlier ?? {}))
      this.#earlier.set(
        name,
        versions.map(({ state: before, stepsLeft, ...entry }) => ({
          ...thaw(options.archive, entry),
          state: before,
          stepsLeft,
        })),
      );
    for (const [name, stepsLeft] of state?.probation ?? []) this.#probation.set(name, stepsLeft);
    if (options.live.watch)
      for (const { loaded } of this.#held) this.#watched.add(loaded.plugin.name, loaded.bundle.inputs);
  }

  /** The plugins in use. */
  get method(): Method {
    return this.#method;
  }

  /** Key of the plugins in use. */
  get key(): string {
    return this.#inUse.key;
  }

  /** The key of the plugins in use, for an order of actors; they stay loaded until it is released. */
  hold(): { readonly key: string; readonly release: () => void } {
    const { key } = this.#inUse;
    this.#name(key);
    return { key, release: () => this.#unname(key) };
  }

  #name(key: string): void {
    this.#named.set(key, (this.#named.get(key) ?? 0) + 1);
  }

  #unname(key: string): void {
    const left = (this.#named.get(key) ?? 1) - 1;
    if (left > 0) this.#named.set(key, left);
    else this.#named.delete(key);
  }

  /** Keeps the code of every plugin in use. */
  async archive(): Promise<void> {
    for (const { loaded } of this.#held) await this.#options.archive?.keep(loaded);
  }

  /** What a checkpoint has to hold beside the states; undefined while the plugins are the config's. */
  async state(): Promise<LiveState | undefined> {
    const { archive } = this.#options;
    if (!archive || !(this.#hasChanged || this.#pinned.size > 0 || this.#probation.size > 0)) return undefined;
    const save = async ({ loaded, settings }: Held): Promise<SavedPlugin> => ({
      ...(await archive.keep(loaded)),
      settings,
    });
    const earlier: Record<string, readonly SavedVersion[]> = {};
    for (const [name, versions] of this.#earlier)
      earlier[name] = await Promise.all(
        versions.map(async ({ state, stepsLeft, ...held }) => ({ ...(await save(held)), state, stepsLeft })),
      );
    return {
      plugins: await Promise.all(this.#held.map(save)),
      pinned: [...this.#pinned],
      earlier,
      probation: [...this.#probation],
    };
  }

  /** The plugins as they are now. */
  list(): readonly LivePlugin[] {
    return this.#held.map(({ loaded }) => {
      const { name } = loaded.plugin;
      return {
        name,
        version: versionOf(loaded),
        isPinned: this.#pinned.has(name),
        isWatched: this.#watched.has(name),
        earlier: (this.#earlier.get(name) ?? []).map((earlier) => versionOf(earlier.loaded)),
      };
    });
  }

  /**
   * Asks for a change; it is in force from the next step on. Rejects, and nothing changes, when it cannot be made.
   *
   * @throws PLUGIN_NOT_LOADED, PLUGIN_PINNED, PLUGIN_NO_EARLIER, PLUGIN_CONFLICT, PLUGIN_READ_UNWRITTEN, and what
   *   building a plugin throws
   */
  change(change: PluginChange, reason = ASKED_FOR): Promise<PluginChangeResult> {
    return new Promise((settle, refuse) => {
      // One change at a time: each is prepared on the list that the one before leaves.
      const before = this.#tail;
      const prepared = before.then(() => this.#prepare(change, reason));
      this.#tail = new Promise((done) => {
        const finish =
          <Value>(then: (value: Value) => void) =>
          (value: Value): void => {
            then(value);
            done(undefined);
          };
        this.#queue.push({ change, reason, prepared, settle: finish(settle), refuse: finish(refuse) });
      });
      // Answered at the next boundary.
      prepared.catch(() => {});
    });
  }

  /** Looks at watched files; a saved one is swapped in at the next boundary. */
  look(): void {
    for (const name of this.#watched.changed()) {
      const held = this.#held.find(({ loaded }) => loaded.plugin.name === name);
      if (!held || this.#pinned.has(name)) continue;
      const change: PluginChange = { verb: "swap", plugin: name, use: held.loaded.bundle.path };
      this.change(change, "its file was saved").catch((error: unknown) => {
        const problem = error instanceof TroupeError ? `${error.code}: ${error.message}` : String(error);
        this.#options.onNotice(
          `${name} was saved but cannot be used; the run goes on with ${versionOf(held.loaded)}. ${problem}`,
        );
      });
    }
  }

  /** A plugin's settings as they were given. */
  settingsOf(name: string): Readonly<Record<string, unknown>> {
    return this.#find(name).settings;
  }

  /**
   * A version took over while the run stood still, as its file had changed: it is on probation like one that was swapped
   * in, where the version before is kept and takes the same settings.
   *
   * @param state of the version before
   */
  tookOver(name: string, from: string, state: JsonObject): void {
    const { loaded, settings } = this.#find(name);
    try {
      const built = this.#options.archive?.load({ name, version: from, config: undefined });
      if (!built) return;
      const before = { ...configurePlugin(built, settings), steps: loaded.steps };
      this.#earlier.set(name, [{ loaded: before, settings, state, stepsLeft: 0 }, ...(this.#earlier.get(name) ?? [])]);
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      return;
    }
    if (this.#options.live.probationSteps > 0) this.#probation.set(name, this.#options.live.probationSteps);
  }

  /** Between two steps: carries out what was asked for. @param step the last step that ran */
  async boundary(step: number): Promise<void> {
    // Each once: a boundary may be met twice before the same step.
    const due = this.#lost.filter((change) => change.step === step + 1);
    this.#lost = this.#lost.filter((change) => !due.includes(change));
    for (const change of due) await this.#makeAgain(change);
    this.look();
    for (const queued of this.#queue.splice(0)) {
      const { settle, refuse } = queued;
      const started = systemClock.now();
      try {
        let change = await this.#current(queued);
        let made = change && this.#replaced(change);
        if (!made?.method) {
          await this.settle(step + 1, made);
          change = await this.#current(queued);
          made = change && this.#replaced(change);
        }
        const { name = "", from = "", to = "" } = change ? this.#commit(change, step + 1, started, made) : {};
        settle({ plugins: this.list(), step: step + 1, ...(change ? { plugin: name, from, to } : {}) });
      } catch (error) {
        refuse(error);
      }
    }
    await this.settle(step + 1);
  }

  /** What was prepared for a change; anew where a failure has changed the list since. */
  async #current({ change, reason, prepared }: Queued): Promise<Prepared | undefined> {
    const known = await prepared;
    if (!known || known.base === this.#held) return known;
    this.#unname(known.list.key);
    const before = known.base.find((held) => nameOf(held) === known.name);
    // The version that somebody wanted to be rid of has failed by itself.
    if (change.verb === "rollback" && before && !this.#held.includes(before)) return undefined;
    return this.#prepare(change, reason);
  }

  /**
   * What fails from here on goes back to the states of now. A plugin on probation that cannot save its own is rolled back,
   * the others keep theirs.
   *
   * @param step the first step that will be done without such a plugin
   * @param saved the states, where they were just saved
   * @throws PLUGIN_STATE_FAILED, HOOK_DEADLINE when the plugin's version is trusted
   */
  async settle(step: number, saved?: SavedStates): Promise<void> {
    const isRemoved = this.#options.live.onHookFailure === "remove";
    if (this.#probation.size === 0 && !isRemoved) return;
    const started = systemClock.now();
    const { states, failed } = saved ?? this.#method.savedStates();
    const before: JsonObject[] = [];
    for (const [name, error] of failed) {
      if (!this.#probation.has(name) && !isRemoved) throw error;
      before.push(this.#stateBefore(name));
    }
    this.#states = Object.assign({}, states, ...before);
    for (const [name, error] of failed) await this.#takeOut(name, reasonOf(faultOf(error)), step, started);
  }

  /** A step went well: changes that have stood their probation stay. */
  stepped(): void {
    for (const [name, left] of this.#probation) {
      if (left > 1) this.#probation.set(name, left - 1);
      else this.#probation.delete(name);
    }
  }

  /**
   * Answers a failure of a step: true when a plugin was its cause and is out of the way, so that the step can be done
   * again; false when the failure stands.
   *
   * @param step the first step that will be done without the plugin's failure
   */
  async rescue(error: unknown, step: number): Promise<boolean> {
    const fault = faultOf(error);
    if (!fault) return false;
    const started = systemClock.now();
    const name = String(fault.details["plugin"]);
    const isRemoved = this.#options.live.onHookFailure === "remove" && this.#held.some((held) => nameOf(held) === name);
    // What a new version leaves may be what another plugin fails at.
    const suspect = this.#probation.has(name) ? name : [...this.#probation.keys()].at(-1);
    if (suspect === undefined && !isRemoved) return false;
    await this.#takeOut(suspect ?? name, reasonOf(fault), step, started);
    return true;
  }

  /** Refuses what is still asked for. */
  close(reason: string): void {
    for (const { change, refuse } of this.#queue.splice(0)) {
      const use = "use" in change ? change.use : "plugin" in change ? change.plugin : "";
      refuse(errors.swapTooLate({ use, reason }));
    }
  }

  async #prepare(change: PluginChange, reason: string): Promise<Prepared | undefined> {
    switch (change.verb) {
      case "list":
        return undefined;
      case "pin":
      case "unpin":
        this.#find(change.plugin);
        if (change.verb === "pin") this.#pinned.add(change.plugin);
        else this.#pinned.delete(change.plugin);
        return undefined;
      case "unload": {
        this.#free(change.plugin);
        return this.#ready("unload", change.plugin, this.#without(change.plugin), reason);
      }
      case "rollback": {
        const held = this.#free(change.plugin);
        const earlier = this.#earlier.get(change.plugin)?.[0];
        if (!earlier) throw errors.pluginNoEarlier({ plugin: change.plugin, version: versionOf(held.loaded) });
        return {
          ...(await this.#ready("roll-back", change.plugin, this.#with(earlier), reason)),
          state: earlier.state,
          stepsLeft: earlier.stepsLeft,
        };
      }
      case "load": {
        const built = await buildPlugin(change.use, this.#options.baseDirectory);
        const added = { loaded: configurePlugin(built, change.with), settings: change.with };
        return this.#ready("load", built.plugin.name, [...this.#held, added], reason);
      }
      case "swap": {
        const built = await buildPlugin(change.use, this.#options.baseDirectory);
        const { name } = built.plugin;
        const old = this.#free(change.plugin ?? name);
        if (change.plugin !== undefined && change.plugin !== name)
          throw errors.pluginNameDiffers({ plugin: change.plugin, use: change.use, found: name });
        if (old.loaded.bundle.hash === built.bundle.hash && change.with === undefined) return undefined;
        const settings = change.with ?? old.settings;
        const loaded = { ...configurePlugin(built, settings), steps: old.loaded.steps };
        return this.#ready("swap", name, this.#with({ loaded, settings }), reason);
      }
    }
  }

  /** Checks a list of plugins and has every actor load it, beside those in use. */
  async #ready(action: Prepared["action"], name: string, next: readonly Held[], reason: string): Promise<Prepared> {
    const base = this.#held;
    const plugins = next.map(({ loaded }) => loaded);
    planLoaded(plugins);
    checkLossSettings(this.#options.loss, plugins);
    const list = { key: String(++this.#changes), parcels: next.map(({ loaded }) => parcelOf(loaded)) };
    const keep = [this.#inUse.key, ...this.#named.keys()];
    this.#name(list.key);
    try {
      await Promise.all(this.#options.pools.map((pool) => pool.preparePlugins({ ...list, keep })));
      const added = next.find(({ loaded }) => loaded.plugin.name === name);
      if (added) await this.#options.archive?.keep(added.loaded);
    } catch (error) {
      this.#unname(list.key);
      throw error;
    }
    const stepsLeft = action === "swap" || action === "load" ? this.#options.live.probationSteps : 0;
    return { action, name, base, next, list, reason, stepsLeft };
  }

  /** The method with a prepared list, which takes over the states of the one in use. Nothing names the list after it. */
  #replaced({ next, state, list }: Prepared): ReturnType<Method["replaced"]> {
    this.#unname(list.key);
    return this.#method.replaced(
      next.map(({ loaded }) => loaded),
      state,
    );
  }

  /** Puts a prepared list to use; what fails leaves the old one in use. @param started when training began to stand still */
  #commit(
    change: Prepared,
    step: number,
    started: number,
    made = this.#replaced(change),
  ): { name: string; from: string; to: string } {
    const { action, name, next, list, reason, stepsLeft } = change;
    const before = this.#held.find(({ loaded }) => loaded.plugin.name === name);
    const after = next.find(({ loaded }) => loaded.plugin.name === name);
    const { method, states, failed } = made;
    if (!method) throw [...failed.values()][0];
    this.#method = method;
    this.#inUse = list;
    this.#held = next;
    this.#hasChanged = true;
    this.#remember(
      name,
      action,
      before && { ...before, state: pick(states, name), stepsLeft: this.#probation.get(name) ?? 0 },
    );
    this.#watched.remove(name);
    if (after && this.#options.live.watch) this.#watched.add(name, after.loaded.bundle.inputs);
    this.#probation.delete(name);
    if (stepsLeft > 0) this.#probation.set(name, stepsLeft);
    const from = before ? versionOf(before.loaded) : "";
    const to = after ? versionOf(after.loaded) : "";
    const pauseMs = systemClock.now() - started;
    this.#options.onChange({ step, plugin: name, from, to, action, reason, settings: after?.settings ?? {}, pauseMs });
    return { name, from, to };
  }

  /** The state that a roll-back gives a plugin. */
  #stateBefore(name: string): JsonObject {
    return this.#earlier.get(name)?.[0]?.state ?? {};
  }

  /**
   * Takes a version that failed out of use: what a change on probation replaced comes back, a trusted plugin goes. Every
   * other plugin has the state that it had when the failed step began. Whoever saves the same text again wants it tried
   * again.
   */
  async #takeOut(name: string, reason: string, step: number, started: number): Promise<void> {
    const isTrial = this.#probation.has(name);
    const earlier = isTrial ? this.#earlier.get(name)?.[0] : undefined;
    const next = earlier ? this.#with(earlier) : this.#without(name);
    const ready = await this.#ready(isTrial ? "roll-back" : "unload", name, next, reason);
    // The failed version may not be able to save its state, so nothing is asked of it.
    this.#method = this.#method.with([], {});
    const state = { ...this.#states, ...earlier?.state };
    this.#commit({ ...ready, state, stepsLeft: earlier?.stepsLeft ?? 0 }, step, started);
  }

  #remember(name: string, action: Prepared["action"], before: Earlier | undefined): void {
    const known = this.#earlier.get(name) ?? [];
    if (action === "unload") this.#earlier.delete(name);
    else if (action === "roll-back") this.#earlier.set(name, known.slice(1));
    else if (before) this.#earlier.set(name, [before, ...known].slice(0, 8));
  }

  /** A change that was made before, in an attempt that did not live to save it. */
  async #makeAgain(change: AppliedChange): Promise<void> {
    const { step, plugin: name, action, to, settings, reason } = change;
    const started = systemClock.now();
    try {
      const others = this.#without(name);
      const old = this.#held.find(({ loaded }) => loaded.plugin.name === name);
      const built = to === "" ? undefined : this.#options.archive?.load({ name, version: to, config: undefined });
      const held = built && { loaded: { ...configurePlugin(built, settings), steps: old?.loaded.steps }, settings };
      const next = held ? (old ? this.#with(held) : [...others, held]) : others;
      const earlier = action === "roll-back" ? this.#earlier.get(name)?.[0] : undefined;
      const ready = await this.#ready(action, name, next, reason);
      this.#commit(earlier ? { ...ready, state: earlier.state, stepsLeft: earlier.stepsLeft } : ready, step, started);
    } catch (error) {
      this.#options.onNotice(`${name} cannot be changed again as it was at step ${step}: ${String(error)}`);
    }
  }

  #with(held: Held): readonly Held[] {
    const { name } = held.loaded.plugin;
    return this.#held.map((other) => (other.loaded.plugin.name === name ? held : other));
  }

  #without(name: string): readonly Held[] {
    return this.#held.filter((held) => nameOf(held) !== name);
  }

  #find(name: string): Held {
    const held = this.#held.find(({ loaded }) => loaded.plugin.name === name);
    if (!held)
      throw errors.pluginNotLoaded({ plugin: name, loaded: this.#held.map(({ loaded }) => loaded.plugin.name) });
    return held;
  }

  #free(name: string): Held {
    const held = this.#find(name);
    if (this.#pinned.has(name)) throw errors.pluginPinned({ plugin: name, version: versionOf(held.loaded) });
    return held;
  }
}

/** A plugin as a checkpoint holds it, ready to run. */
function thaw(archive: PluginArchive | undefined, { settings, ...entry }: SavedPlugin): Held {
  if (!archive) throw errors.pluginVersionUnknown({ plugin: entry.name, wanted: entry.version, file: "" });
  return { loaded: archive.load(entry), settings };
}

function nameOf({ loaded }: Held): string {
  return loaded.plugin.name;
}

function pick(states: JsonObject, name: string): JsonObject {
  const state = states[name];
  return state === undefined ? {} : { [name]: state };
}

function reasonOf(fault: TroupeError | undefined): string {
  return fault ? `${fault.code}: ${fault.message}` : "";
}

/** The plugin's fault behind an error, across threads. */
function faultOf(error: unknown): TroupeError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TroupeError && PLUGIN_FAULTS.includes(cause.code)) return cause;
  }
  return undefined;
}
