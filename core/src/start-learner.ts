import { startTried } from "./actors/actor-failure.js";
import type { ActorRef } from "./actors/actor-ref.js";
import type { ActorSystem } from "./actors/actor-system.js";
import { defaultSupervision } from "./actors/supervisor.js";
import type { RunConfig } from "./config/run-config.js";
import { engineOptions } from "./engines/engine-options.js";
import { engineModule, loadEngine } from "./engines/load-engine.js";
import { checkMemory } from "./engines/memory-check.js";
import type { ModelShape } from "./engines/policy-engine.js";
import { LEARNER_DEADLINE_MS } from "./learn/learner.js";
import { learnActor, type LearnActorArgs, type LearnProtocol } from "./learn/learn-actor.js";

/**
 * What the learner of a run is started with.
 *
 * @param weights folder to begin from; undefined draws them from the seed
 */
export function learnerArgs(
  config: RunConfig,
  baseDirectory: string,
  shape: ModelShape,
  weights: string | undefined,
): LearnActorArgs {
  return {
    engine: engineModule(config.policy.engine, baseDirectory),
    options: engineOptions(config, shape),
    ...(weights === undefined ? {} : { weights }),
    hasReference: config.loss.klCoefficient > 0,
  };
}

/**
 * Starts the one owner of a run's weights, once its memory is known to suffice.
 *
 * @throws what loading an engine or weights throws
 */
export async function startLearner(
  system: ActorSystem,
  config: RunConfig,
  shape: ModelShape,
  args: LearnActorArgs,
): Promise<ActorRef<LearnProtocol>> {
  checkMemory(await loadEngine(args.engine), config, shape);
  return startTried(() =>
    system.spawn(
      learnActor,
      args,
      // A learner that starts again would have lost the weights: its death ends the run, which resumes from a checkpoint.
      {
        id: "learner",
        placement: { at: config.policy.placement },
        mailbox: { capacity: 8 },
        // Weights of gigabytes take their time.
        startDeadlineMs: LEARNER_DEADLINE_MS,
        supervision: { ...defaultSupervision, restart: "temporary" },
      },
    ),
  );
}
