import { isActorFailure } from "../actors/actor-failure.js";
import type { ActorRef } from "../actors/actor-ref.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { unpackPlugin, type LoadedPlugin, type PluginParcel } from "./plugin-loader.js";

/** Plugins as they travel to actors. The key tells one list from the next; every order names the list that it is for. */
export interface PluginList {
  readonly key: string;
  readonly parcels: readonly PluginParcel[];
}

/** A list on its way to every actor. */
export interface PreparedPlugins extends PluginList {
  /** Keys of the lists that orders still name; others can go. */
  readonly keep: readonly string[];
}

/**
 * Messages of an actor that runs plugins. A change has two phases, so that no order ever meets two versions: every actor
 * loads the new list beside those in use, and only then do new orders name it. What is under way ends with its own list.
 */
export type PluginProtocol = {
  preparePlugins: { in: PreparedPlugins; out: null };
};

/** How such an actor takes its control messages: at once, while an order is under way. */
export const PLUGIN_CONTROL = { urgent: ["preparePlugins"], interleave: ["preparePlugins"] } as const;

/** The lists of one actor. */
export class PluginShelf {
  readonly #lists: Map<string, readonly LoadedPlugin[]>;

  constructor(lists: readonly PluginList[]) {
    this.#lists = new Map(lists.map(({ key, parcels }) => [key, parcels.map(unpackPlugin)]));
  }

  /** @throws PLUGINS_NOT_PREPARED */
  of(key: string): readonly LoadedPlugin[] {
    const plugins = this.#lists.get(key);
    if (!plugins) throw errors.pluginsNotPrepared({ key });
    return plugins;
  }

  /** @throws MODULE_LOAD_FAILED and what else unpacking throws; nothing changes then */
  prepare({ key, parcels, keep }: PreparedPlugins): null {
    const plugins = parcels.map(unpackPlugin);
    for (const known of this.#lists.keys()) if (!keep.includes(known)) this.#lists.delete(known);
    this.#lists.set(key, plugins);
    return null;
  }
}

/** The lists that the actors of a pool have, and what a new one is started with. */
export class PoolPlugins {
  #lists: readonly PluginList[];

  constructor(first: PluginList) {
    this.#lists = [first];
  }

  get lists(): readonly PluginList[] {
    return this.#lists;
  }

  /** Has actors load a list. One that has ended is replaced by one that begins with it. */
  async prepare(
    actors: readonly ActorRef<PluginProtocol>[],
    prepared: PreparedPlugins,
    deadlineMs: number,
  ): Promise<void> {
    const { key, parcels, keep } = prepared;
    const before = this.#lists;
    this.#lists = [...before.filter((list) => keep.includes(list.key)), { key, parcels }];
    const isLost = (error: unknown): boolean => isActorFailure(error) && error.code !== "ASK_DEADLINE";
    try {
      await Promise.all(
        actors.map((actor) =>
          actor.ask("preparePlugins", prepared, { deadlineMs }).catch((error: unknown) => {
            if (!isLost(error)) throw error;
          }),
        ),
      );
    } catch (error) {
      this.#lists = before;
      throw error;
    }
  }

  /** Asks an actor; when it was started while a list was on its way, sends it what it lacks and asks again. */
  async ask<Answer>(actor: ActorRef<PluginProtocol>, deadlineMs: number, ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (error) {
      const reason = error instanceof Error ? error.cause : undefined;
      if (!(reason instanceof TroupeError && reason.code === "PLUGINS_NOT_PREPARED")) throw error;
    }
    const keep = this.#lists.map(({ key }) => key);
    for (const list of this.#lists) await actor.ask("preparePlugins", { ...list, keep }, { deadlineMs });
    return ask();
  }
}
