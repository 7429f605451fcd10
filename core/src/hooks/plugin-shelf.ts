import { isActorFailure } from "../actors/actor-failure.js";
import type { ActorRef } from "../actors/actor-ref.js";
import { unpackPlugin, type LoadedPlugin, type PluginParcel } from "./plugin-loader.js";

/** A list of plugins on its way to every thread. The key tells one list from the next. */
export interface PreparedPlugins {
  readonly key: string;
  readonly parcels: readonly PluginParcel[];
}

/**
 * Messages of an actor that runs plugins. A change has two phases, so that no step ever runs two versions: every
 * thread loads the new list beside the old one, then, between two steps, all begin to use it.
 */
export type PluginProtocol = {
  preparePlugins: { in: PreparedPlugins; out: null };
  /** False when nothing with this key was prepared, as in an actor that was replaced meanwhile. */
  commitPlugins: { in: string; out: boolean };
};

/** The plugins of one actor: those in use, and a list that waits for its commit. */
export class PluginShelf {
  #plugins: readonly LoadedPlugin[];
  #prepared: { readonly key: string; readonly plugins: readonly LoadedPlugin[] } | undefined;

  constructor(parcels: readonly PluginParcel[]) {
    this.#plugins = parcels.map(unpackPlugin);
  }

  get plugins(): readonly LoadedPlugin[] {
    return this.#plugins;
  }

  /** @throws MODULE_LOAD_FAILED and what else unpacking throws; the plugins in use stay */
  prepare({ key, parcels }: PreparedPlugins): null {
    this.#prepared = { key, plugins: parcels.map(unpackPlugin) };
    return null;
  }

  commit(key: string): boolean {
    if (this.#prepared?.key !== key) return false;
    this.#plugins = this.#prepared.plugins;
    this.#prepared = undefined;
    return true;
  }
}

/** Has actors begin to use a list, those too that were started after it was prepared; one that has ended begins with it. */
export async function commitIn(
  actors: readonly ActorRef<PluginProtocol>[],
  prepared: PreparedPlugins,
  deadlineMs: number,
): Promise<void> {
  await Promise.all(
    actors.map(async (actor) => {
      try {
        if (await actor.ask("commitPlugins", prepared.key, { deadlineMs })) return;
        await actor.ask("preparePlugins", prepared, { deadlineMs });
        await actor.ask("commitPlugins", prepared.key, { deadlineMs });
      } catch (error) {
        if (!isActorFailure(error) || error.code === "ASK_DEADLINE") throw error;
      }
    }),
  );
}
