import { resolve } from "node:path";
import type { ActorRef } from "./actors/actor-ref.js";
import { ActorPlaces } from "./actors/actor-places.js";
import { ActorSystem } from "./actors/actor-system.js";
import type { Placement } from "./actors/transport.js";
import { pluginEntries, type RunConfig } from "./config/run-config.js";
import { errors } from "./errors.js";
import { readModelShape } from "./engines/model-shape.js";
import { Tokenizer } from "./engines/tokenizer.js";
import { environmentParcel, loadEnvironment, type LoadedEnvironment } from "./environments/environment-loader.js";
import type { Taskset } from "./environments/environment.js";
import { checkLossSettings } from "./hooks/loss-settings.js";
import { Method } from "./hooks/method.js";
import { loadPlugin, type LoadedPlugin } from "./hooks/plugin-loader.js";
import type { LearnerDescription, LearnProtocol } from "./learn/learn-actor.js";
import { learnerEnd } from "./learn/learner-end.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import type { PluginArchive } from "./live/plugin-archive.js";
import { PluginHost, type AppliedChange, type LiveState } from "./live/plugin-host.js";
import { NEXT_TOKEN_MODE } from "./records/evaluation.js";
import type { JsonObject } from "./records/json.js";
import { PolicyCopy, PublishedVersions, type CopiedPolicy } from "./policy-copies.js";
import type { EpisodeArgs } from "./rollout/rollout-actor.js";
import { RolloutPool, type RolloutPlace } from "./rollout/rollout-pool.js";
import { learnerArgs, startLearner } from "./start-learner.js";
import { readTexts } from "./read-texts.js";
import { VerifierPool } from "./verify/verifier-pool.js";

/** Everything a run is made of, started and connected. */
export interface RunParts {
  readonly system: ActorSystem;
  readonly environment: LoadedEnvironment;
  readonly train: Taskset;
  readonly held: Taskset;
  readonly tokenizer: Tokenizer;
  readonly learner: ActorRef<LearnProtocol>;
  readonly engine: LearnerDescription;
  readonly rollouts: RolloutPool;
  readonly verifiers: VerifierPool;
  readonly plugins: PluginHost;
  /** Those that only format a mode of evaluation. */
  readonly evalPlugins: readonly LoadedPlugin[];
  /** Called when the learner has published a version: sends it to where it is not seen by itself. */
  readonly published: (version: number) => Promise<void>;
}

/** Where a run's policy starts and what a checkpoint knew. */
export interface StartingPoint {
  /** Folder with the weights; undefined draws them from the seed. */
  readonly weights: string | undefined;
  /** Folder of the run that keeps the entropies of texts. */
  readonly entropies?: string;
  /** The policy is about to be taught: what it predicts now says nothing about texts. */
  readonly isUntaught?: true;
  /** What is known of the plugins, and who hears of them; absent for work that lasts no longer than this call. */
  readonly plugins?: {
    readonly states: JsonObject;
    /** The plugins in use then, where they are not the config's. */
    readonly live: LiveState | undefined;
    /** Changes that were made after the checkpoint; they are made again at their steps. */
    readonly lost: readonly AppliedChange[];
    readonly archive: PluginArchive;
    readonly onEvent: (plugin: string, step: number, message: string) => void;
    readonly onChange: (change: AppliedChange) => void;
    readonly onNotice: (message: string) => void;
  };
}

/**
 * Loads environment and plugins, starts the learner, then the actors that sample from it and verify.
 *
 * @param baseDirectory where relative paths in the config start
 * @throws what loading a module, a tokenizer or weights throws; nothing stays running then
 */
export async function startParts(config: RunConfig, baseDirectory: string, start: StartingPoint): Promise<RunParts> {
  const policyDirectory = resolve(baseDirectory, config.policy.from);
  const environment = await loadEnvironment(config.environment.use, config.environment.with, baseDirectory);
  const { plugins, settings } = await startingPlugins(config, baseDirectory, start);
  const { hookDeadlineMs } = config.live;
  const method = new Method({
    seed: config.seed,
    plugins,
    states: start.plugins?.states ?? {},
    onEvent: start.plugins?.onEvent ?? (() => {}),
    hookDeadlineMs,
  });
  const names = plugins.map(({ plugin }) => plugin.name);
  const onlyEval = (await loadPlugins(config.eval.plugins, baseDirectory)).filter(
    ({ plugin }) => !names.includes(plugin.name),
  );
  checkModes(config.eval.modes, [...plugins, ...onlyEval]);
  const tokenizer = Tokenizer.fromDirectory(policyDirectory);
  const reader = readTexts({ config, baseDirectory, tokenizer, keptIn: start.entropies }, start.isUntaught !== true);
  const context = { baseDirectory, seed: config.seed, reader };
  const tasksOf = async (split: "train" | "eval"): Promise<Taskset> =>
    checkTaskset(
      config.environment.use,
      split,
      await environment.definition.taskset(environment.config, split, context),
    );
  const train = await tasksOf("train");
  const held = await tasksOf("eval");
  const shape = readModelShape(policyDirectory, tokenizer.vocabSize);

  const system = new ActorSystem();
  let learner: RunParts["learner"] | undefined;
  try {
    const args = learnerArgs(config, baseDirectory, shape, start.weights);
    learner = await startLearner(system, config, shape, args);
    const engine = await learner.ask("describe", null, { deadlineMs: LEARNER_DEADLINE_MS });
    const { steps } = config.train;
    if (steps > 0 && !engine.capabilities.train)
      throw errors.engineCannotTrain({ engine: config.policy.engine, steps });
    const shared = {
      evalPlugins: onlyEval.map(({ bundle, config: settings }) => ({ bundle, config: settings })),
      hookDeadlineMs,
    };
    const first = { key: "0", parcels: method.parcels };
    const places = new ActorPlaces(system);
    const policy = { learner, args, kernelSet: engine.kernelSet, directory: policyDirectory };
    const versions = new PublishedVersions(system, policy);
    const sampled = rolloutPlaces(await places.of(config.rollout.placement), system, policy, versions, engine);
    const rollouts = await RolloutPool.start(
      system,
      {
        ...shared,
        engine: args.engine,
        maxPositions: shape.maxPositions,
        ...(environment.definition.episodes ? { episodes: episodeArgs(environment, config.rollout) } : {}),
      },
      first,
      { ...config.rollout, places: sampled, isEndless: train.size === Infinity },
    );
    const verifiers = new VerifierPool(
      system,
      {
        ...shared,
        tokenizerDirectory: policyDirectory,
        environment: environmentParcel(environment),
      },
      first,
      { ...config.verify, places: await places.of(config.verify.placement) },
      environment.definition.verifier(environment.config),
    );
    const host = new PluginHost(
      {
        method,
        settings,
        pools: [rollouts, verifiers],
        first,
        archive: start.plugins?.archive,
        live: config.live,
        loss: config.loss,
        baseDirectory,
        lost: start.plugins?.lost ?? [],
        onChange: start.plugins?.onChange ?? (() => {}),
        onNotice: start.plugins?.onNotice ?? (() => {}),
      },
      start.plugins?.live,
    );
    return {
      system,
      environment,
      train,
      held,
      tokenizer,
      learner,
      engine,
      rollouts,
      verifiers,
      plugins: host,
      evalPlugins: onlyEval,
      async published(version) {
        if (!sampled.some(({ follow }) => follow)) return;
        await versions.add(version);
        await rollouts.follow();
      },
    };
  } catch (error) {
    const end = learner && (await learnerEnd(learner, error));
    await system.stop({ graceMs: 0 });
    throw end ?? error;
  }
}

/** On another machine the policy is a copy; threads and processes of this one read the learner's own weights. */
function rolloutPlaces(
  places: readonly Placement[],
  system: ActorSystem,
  policy: CopiedPolicy,
  versions: PublishedVersions,
  { handle }: LearnerDescription,
): readonly RolloutPlace[] {
  const args = { engineHandle: handle, tokenizerDirectory: policy.directory };
  return places.map((placement) =>
    placement.at === "remote"
      ? new PolicyCopy(system, placement, policy, versions)
      : { placement, access: async () => ({ args }) },
  );
}

function episodeArgs(environment: LoadedEnvironment, rollout: RunConfig["rollout"]): EpisodeArgs {
  const { environmentDeadlineMs: deadlineMs, maxTurns, maxTurnTokens, maxEpisodes } = rollout;
  const limits = { deadlineMs, maxTurns, maxTurnTokens: maxTurnTokens || Infinity, atOnce: maxEpisodes || Infinity };
  return { environment: environmentParcel(environment), ...limits };
}

/** The config's plugins, or those that a run had taken in place of them while it worked. */
async function startingPlugins(
  config: RunConfig,
  baseDirectory: string,
  start: StartingPoint,
): Promise<{
  readonly plugins: readonly LoadedPlugin[];
  readonly settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}> {
  const { live, archive } = start.plugins ?? {};
  if (live && archive) {
    const plugins = live.plugins.map((entry) => archive.load(entry));
    return { plugins, settings: new Map(live.plugins.map((entry) => [entry.name, entry.settings])) };
  }
  const plugins = await loadPlugins(config.plugins, baseDirectory);
  checkLossSettings(config.loss, plugins);
  const entries = pluginEntries(config.plugins);
  return { plugins, settings: new Map(plugins.map(({ plugin }, i) => [plugin.name, entries[i]?.with ?? {}])) };
}

/** Loads the plugins of a config's list, in its order. */
export async function loadPlugins(
  entries: RunConfig["plugins"],
  baseDirectory: string,
): Promise<readonly LoadedPlugin[]> {
  const loaded = [];
  for (const { use, with: settings, steps } of pluginEntries(entries))
    loaded.push({ ...(await loadPlugin(use, settings, baseDirectory)), steps });
  return loaded;
}

/** What an environment gave as tasks; it may be JavaScript, where no compiler looked. @throws ENVIRONMENT_NOT_VALID */
function checkTaskset(use: string, split: string, tasks: Partial<Taskset> | undefined): Taskset {
  const { size, at } = tasks ?? {};
  const problem =
    typeof size !== "number" || !(size >= 0)
      ? `its taskset for "${split}" has size ${String(size)}, a number of tasks is wanted`
      : typeof at === "function"
        ? undefined
        : `its taskset for "${split}" has no function "at"`;
  if (problem !== undefined) throw errors.environmentNotValid({ use, problem });
  // Both were just checked.
  return tasks as Taskset;
}

/** Checks that each mode is "default", "next-token" or one that a plugin formats. @throws EVALUATION_MODE_UNKNOWN */
export function checkModes(modes: readonly string[], plugins: readonly LoadedPlugin[]): void {
  const known = ["default", NEXT_TOKEN_MODE, ...plugins.flatMap(({ plugin }) => plugin.modes ?? [])];
  const unknown = modes.find((mode) => !known.includes(mode));
  if (unknown !== undefined) throw errors.evaluationModeUnknown({ mode: unknown, known });
}
