import { defineActor } from "../actors/actor.js";
import { loadEngine } from "../engines/load-engine.js";
import { unpackEnvironment, type EnvironmentParcel } from "../environments/environment-loader.js";
import { unpackPlugin, type PluginParcel } from "../hooks/plugin-loader.js";
import { PLUGIN_CONTROL, PluginShelf, type PluginList, type PluginProtocol } from "../hooks/plugin-shelf.js";
import type { Trajectory } from "../records/trajectory.js";
import type { EpisodeTools } from "./episode-player.js";
import { rollOut, type RolloutOrder, type RolloutTools } from "./rollout.js";
import { Tokenizer } from "../engines/tokenizer.js";

/** What a rollout actor is started with. */
export interface RolloutActorArgs {
  readonly tokenizerDirectory: string;
  readonly engine: string;
  readonly engineHandle: unknown;
  readonly maxPositions: number;
  readonly hookDeadlineMs: number;
  readonly lists: readonly PluginList[];
  readonly evalPlugins: readonly PluginParcel[];
  /** Present where the policy talks with its environment in turns. */
  readonly episodes?: EpisodeArgs;
}

/** The environment that a rollout actor has its policy talk with. */
export interface EpisodeArgs extends Omit<EpisodeTools, "episodes"> {
  readonly environment: EnvironmentParcel;
}

/** Messages of a rollout actor. */
export type RolloutProtocol = {
  /** Samples whole groups; trajectories come in the order of groups and slots. */
  rollOut: { in: RolloutOrder; out: readonly Trajectory[] };
} & PluginProtocol;

interface State {
  readonly tools: Omit<RolloutTools, "plugins">;
  readonly shelf: PluginShelf;
}

/** The loader has seen to it that the environment has episodes. */
function unpackEpisodes({ environment, ...limits }: EpisodeArgs): EpisodeTools {
  const { definition, config } = unpackEnvironment(environment);
  return { ...limits, episodes: definition.episodes!(config) };
}

/** Samples groups from the live policy version; many may run beside each other. */
export const rolloutActor = defineActor<RolloutProtocol, State, RolloutActorArgs>({
  name: "rollout",
  module: import.meta.url,
  exportName: "rolloutActor",
  ...PLUGIN_CONTROL,
  async init(args) {
    const engine = await loadEngine(args.engine);
    const tokenizer = Tokenizer.fromDirectory(args.tokenizerDirectory);
    const sampler = engine.attachSampler(args.engineHandle);
    sampler.setVocabulary?.(tokenizer.vocabularyBytes());
    return {
      tools: {
        tokenizer,
        sampler,
        evalPlugins: args.evalPlugins.map(unpackPlugin),
        maxPositions: args.maxPositions,
        hookDeadlineMs: args.hookDeadlineMs,
        ...(args.episodes ? { episodes: unpackEpisodes(args.episodes) } : {}),
      },
      shelf: new PluginShelf(args.lists),
    };
  },
  on: {
    async rollOut(state, order, ctx) {
      const trajectories = await rollOut({ ...state.tools, plugins: state.shelf.of(order.plugins) }, order, ctx.signal);
      // Every array was made for this reply, so its buffer moves instead of being copied.
      const buffers = trajectories.flatMap((t) => [
        t.tokens.buffer,
        t.origins.buffer,
        t.logprobs.buffer,
        t.entropies.buffer,
      ]);
      // The arrays above are never over shared memory.
      return ctx.transfer(trajectories, buffers as ArrayBuffer[]);
    },
    preparePlugins: (state, prepared) => state.shelf.prepare(prepared),
  },
  dispose(state) {
    state.tools.sampler.dispose();
  },
});
