import { resolve } from "node:path";
import type { ActorRef } from "./actors/actor-ref.js";
import { ActorSystem } from "./actors/actor-system.js";
import { defaultSupervision } from "./actors/supervisor.js";
import { pluginEntries, type RunConfig } from "./config/run-config.js";
import { errors } from "./errors.js";
import { readModelShape } from "./engines/model-shape.js";
import { Tokenizer } from "./engines/tokenizer.js";
import { loadEnvironment, type LoadedEnvironment } from "./environments/environment-loader.js";
import type { Taskset } from "./environments/environment.js";
import { Method } from "./hooks/method.js";
import { engineOptions } from "./engines/engine-options.js";
import { loadPlugin, type LoadedPlugin } from "./hooks/plugin-loader.js";
import { learnActor, type LearnerDescription, type LearnProtocol } from "./learn/learn-actor.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import type { JsonObject } from "./records/json.js";
import { RolloutPool } from "./rollout/rollout-pool.js";
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
  readonly method: Method;
}

/** Where a run's policy starts and what a checkpoint knew. */
export interface StartingPoint {
  /** Folder with the weights; undefined draws them from the seed. */
  readonly weights: string | undefined;
  readonly pluginStates: JsonObject;
  readonly onPluginEvent: (plugin: string, step: number, message: string) => void;
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
  const plugins = await loadPlugins(config.plugins, baseDirectory);
  const method = new Method(config.seed, plugins, start.pluginStates, start.onPluginEvent);
  const names = plugins.map(({ plugin }) => plugin.name);
  const onlyEval = (await loadPlugins(config.eval.plugins, baseDirectory)).filter(
    ({ plugin }) => !names.includes(plugin.name),
  );
  checkModes(config.eval.modes, [...plugins, ...onlyEval]);
  const context = { baseDirectory, seed: config.seed };
  const [train, held] = await Promise.all(
    (["train", "eval"] as const).map((split) => environment.definition.taskset(environment.config, split, context)),
  );
  const tokenizer = Tokenizer.fromDirectory(policyDirectory);
  const shape = readModelShape(policyDirectory, tokenizer.vocabSize);

  const system = new ActorSystem();
  try {
    const learner = await system.spawn(
      learnActor,
      {
        engine: config.policy.engine,
        options: engineOptions(config, shape),
        ...(start.weights === undefined ? {} : { weights: start.weights }),
        hasReference: config.loss.klCoefficient > 0,
      },
      // A learner that starts again would have lost the weights: its death ends the run, which resumes from a checkpoint.
      {
        id: "learner",
        placement: { at: "thread" },
        mailbox: { capacity: 8 },
        supervision: { ...defaultSupervision, restart: "temporary" },
      },
    );
    const engine = await learner.ask("describe", null, { deadlineMs: LEARNER_DEADLINE_MS });
    const shared = {
      plugins: method.parcels,
      evalPlugins: onlyEval.map(({ bundle, config: settings }) => ({ bundle, config: settings })),
      tokenizerDirectory: policyDirectory,
    };
    const rollouts = await RolloutPool.start(
      system,
      { ...shared, engine: config.policy.engine, engineHandle: engine.handle, maxPositions: shape.maxPositions },
      config.rollout,
    );
    const verifiers = new VerifierPool(
      system,
      { ...shared, environment: { bundle: environment.bundle, config: environment.config } },
      config.verify,
    );
    // Both splits were asked for above.
    return { system, environment, train: train!, held: held!, tokenizer, learner, engine, rollouts, verifiers, method };
  } catch (error) {
    await system.stop({ graceMs: 0 });
    throw error;
  }
}

/** Loads the plugins of a config's list, in its order. */
export async function loadPlugins(
  entries: RunConfig["plugins"],
  baseDirectory: string,
): Promise<readonly LoadedPlugin[]> {
  const loaded = [];
  for (const entry of pluginEntries(entries)) loaded.push(await loadPlugin(entry.use, entry.with, baseDirectory));
  return loaded;
}

/** Checks that each mode is "default" or one that a plugin formats. @throws EVALUATION_MODE_UNKNOWN */
export function checkModes(modes: readonly string[], plugins: readonly LoadedPlugin[]): void {
  const known = ["default", ...plugins.flatMap(({ plugin }) => plugin.modes ?? [])];
  const unknown = modes.find((mode) => !known.includes(mode));
  if (unknown !== undefined) throw errors.evaluationModeUnknown({ mode: unknown, known });
}
