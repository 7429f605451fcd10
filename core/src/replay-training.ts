import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { ActorSystem } from "./actors/actor-system.js";
import type { ActorRef } from "./actors/actor-ref.js";
import { Tokenizer } from "./engines/tokenizer.js";
import { readModelShape } from "./engines/model-shape.js";
import { errors } from "./errors.js";
import { LEARNER_DEADLINE_MS, updatePolicy } from "./learn/learner.js";
import type { LearnProtocol } from "./learn/learn-actor.js";
import { replay, type ReplayedStep, type ReplayOptions } from "./replay.js";
import { readSavedRun } from "./run-checkpoint.js";
import { optimizerSettings } from "./run-plan.js";
import { firstWeights } from "./run-session.js";
import { learnerArgs, startLearner } from "./start-learner.js";
import { listCheckpoints } from "./store/checkpoint.js";
import { readEvents } from "./store/events.js";
import type { RunDirectory } from "./store/run-directory.js";
import { makeScratchFolder } from "./store/scratch-folder.js";
import {
  compareTensors,
  countValues,
  tensorDigests,
  type TensorDifference,
  type TensorDigests,
} from "./store/tensor-digests.js";

/** What to train again, and from where. */
export interface TrainingReplayOptions extends Omit<ReplayOptions, "replace"> {
  /** Folder with the weights that the run began with, where they are not those of `policy.from`: a distilled policy's. */
  readonly weights?: string;
}

/** A number that an update reported, as it was recorded and as it came out now. */
export interface MetricDifference {
  readonly name: string;
  readonly recorded: number;
  readonly replayed: number;
}

/** Weights and optimizer's moments beside those of a checkpoint. */
export interface CheckpointComparison {
  readonly step: number;
  /** Of the replayed files. */
  readonly digests: TensorDigests;
  /** Numbers in them. */
  readonly values: number;
  /** Files that are not the same, bit for bit. */
  readonly differing: readonly string[];
  /** Where they part; absent when nothing does, or when only the digests of the checkpoint are left. */
  readonly first?: TensorDifference;
  readonly kernels?: OtherKernels;
}

/** The kernels of then and now, where they are others: they may give other bits. */
export interface OtherKernels {
  readonly recorded: string;
  readonly replayed: string;
}

/** One piece of a replayed training, in order. */
export type RetrainedPart =
  | { readonly kind: "checkpoint"; readonly comparison: CheckpointComparison }
  | {
      readonly kind: "step";
      readonly decided: ReplayedStep;
      /** How many numbers of the update were compared, and those that differ. */
      readonly compared: number;
      readonly differing: readonly MetricDifference[];
      /** Of the samples of the update. */
      readonly kernels?: OtherKernels;
    };

/**
 * Trains a run again from its record, without sampling: every step is decided as `replay` does, its update taken by the
 * run's engine from the recorded tokens and logprobs, and what comes out compared with the run: the numbers that each
 * update reported, and weights and moments with every checkpoint that the run made, those that are gone by their digests.
 * On the same machine a sound record of any run, in lockstep or ahead, gives the same bits.
 *
 * @throws REPLAY_NOT_POSSIBLE, also when the first weights are not those that the run began with; CHECKPOINT_NOT_FOUND,
 *   and what `replay` throws
 */
export async function* replayTraining(options: TrainingReplayOptions): AsyncGenerator<RetrainedPart> {
  const { config, baseDirectory, directory, after } = options;
  const policyDirectory = resolve(baseDirectory, config.policy.from);
  const tokenizer = Tokenizer.fromDirectory(policyDirectory);
  const shape = readModelShape(policyDirectory, tokenizer.vocabSize);
  const recorded = await recordedCheckpoints(directory);
  const system = new ActorSystem();
  const scratch = await makeScratchFolder("troupe-replay");
  try {
    const weights = firstWeights(config, baseDirectory, options.weights);
    const learner = await startLearner(system, config, shape, learnerArgs(config, baseDirectory, shape, weights));
    const compare = (at: RecordedCheckpoint): Promise<CheckpointComparison> => compareWith(at, learner, scratch);
    if (after) {
      const { version } = (await readSavedRun(after)).run;
      const from = { directory: after.path, optimizer: true, version };
      await learner.ask("load", from, { deadlineMs: LEARNER_DEADLINE_MS });
    }
    const first = recorded.get(after?.step ?? 0);
    if (first) {
      const comparison = await compare(first);
      if (comparison.differing.length > 0)
        throw errors.replayNotPossible({
          run: directory.id,
          step: first.step + 1,
          problem: `${comparison.differing.join(", ")} of the weights that the run began with ${weights === undefined ? "" : `is not that of "${weights}"`}`,
        });
      yield { kind: "checkpoint", comparison };
    }
    for await (const decided of replay(options)) {
      const { plan, loss, collected, advantages } = decided.update;
      const metrics =
        collected.kept.length === 0
          ? {}
          : await updatePolicy(learner, tokenizer, {
              plan,
              optimizer: optimizerSettings(config),
              loss,
              groups: collected.kept,
              version: decided.report.version - 1,
              advantages,
            });
      const { version } = decided.report;
      await learner.ask("publish", { version }, { deadlineMs: LEARNER_DEADLINE_MS });
      const sampled = collected.kept.flatMap(({ group }) =>
        group.samples.map(({ trajectory }) => trajectory.kernelSet),
      );
      const kernels = otherKernels(sampled, await kernelsOf(learner));
      yield { kind: "step", decided, ...compareMetrics(metrics, decided.report.metrics), ...kernels };
      const at = recorded.get(decided.step);
      if (at) yield { kind: "checkpoint", comparison: await compare(at) };
    }
  } finally {
    await system.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A checkpoint that the run made; without a path it is gone. */
interface RecordedCheckpoint {
  readonly step: number;
  readonly digests: TensorDigests;
  readonly path?: string;
  readonly kernelSet?: string;
}

async function recordedCheckpoints(directory: RunDirectory): Promise<ReadonlyMap<number, RecordedCheckpoint>> {
  const found = new Map<number, RecordedCheckpoint>();
  for (const event of (await readEvents(directory.events)).lines)
    if (event.type === "checkpoint") found.set(event.step, { step: event.step, digests: event.digests });
  for (const checkpoint of await listCheckpoints(directory)) {
    const { step, path } = checkpoint;
    const { kernelSet } = await readSavedRun(checkpoint);
    found.set(step, { step, path, kernelSet, digests: await tensorDigests(path) });
  }
  return found;
}

async function compareWith(
  { step, digests: recorded, path, kernelSet }: RecordedCheckpoint,
  learner: ActorRef<LearnProtocol>,
  scratch: string,
): Promise<CheckpointComparison> {
  await learner.ask("save", { directory: scratch, optimizer: true }, { deadlineMs: LEARNER_DEADLINE_MS });
  const digests = await tensorDigests(scratch);
  const files = [...new Set([...Object.keys(recorded), ...Object.keys(digests)])];
  const differing = files.filter((file) => recorded[file] !== digests[file]);
  const [file] = differing.filter((name) => name in recorded && name in digests);
  const first = path === undefined || file === undefined ? undefined : await compareTensors(path, scratch, file);
  return {
    step,
    digests,
    values: await countValues(scratch),
    differing,
    ...(first ? { first } : {}),
    ...otherKernels([kernelSet], await kernelsOf(learner)),
  };
}

async function kernelsOf(learner: ActorRef<LearnProtocol>): Promise<string> {
  return (await learner.ask("describe", null, { deadlineMs: LEARNER_DEADLINE_MS })).kernelSet;
}

/** @param recorded undefined where a record does not tell */
function otherKernels(
  recorded: readonly (string | undefined)[],
  replayed: string,
): { readonly kernels?: OtherKernels } {
  const others = [...new Set(recorded)].filter((one) => one !== undefined && one !== replayed);
  return others.length === 0 ? {} : { kernels: { recorded: others.join(" and "), replayed } };
}

function compareMetrics(
  replayed: Readonly<Record<string, number>>,
  recorded: Readonly<Record<string, number>>,
): { readonly compared: number; readonly differing: readonly MetricDifference[] } {
  // Speeds and times are the machine's, everything else is the update's.
  // An earlier version of this program recorded fewer.
  const names = Object.keys(replayed).filter((name) => name in recorded && !/^(speed|time)\//.test(name));
  const differing = names
    .map((name) => ({ name, recorded: recorded[name] ?? NaN, replayed: replayed[name] ?? NaN }))
    // The record has no sign of zero, and one word for all that is not finite.
    .filter((one) => one.recorded !== one.replayed && (Number.isFinite(one.recorded) || Number.isFinite(one.replayed)));
  return { compared: names.length, differing };
}
