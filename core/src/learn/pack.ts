import type { LossSpec } from "../records/loss-spec.js";
import type { Batch } from "../records/batch.js";
import { isTruncated, ORIGIN, promptLength, segmentStarts, type Trajectory } from "../records/trajectory.js";
import { groupTokenMeanWeights, tokenWeights } from "../numerics/token-weights.js";

/** One trajectory with what the update makes of it. */
export interface WeighedTrajectory {
  readonly trajectory: Trajectory;
  /** One value for all response tokens, or shape [response length]. */
  readonly advantage: number | Float32Array;
  /** Factor on each response token's weight, shape [response length]; absent means 1. */
  readonly factors?: Float32Array;
}

/** A text to learn by supervision: loss from `lossFrom` on. */
export interface LabelledSequence {
  readonly tokens: Int32Array;
  readonly lossFrom: number;
  /** Tokens [start, end) that carry none: what an environment said, or what is learned in another way. */
  readonly without?: readonly (readonly [number, number])[];
}

/**
 * Packs one update's trajectories without padding. Here every mask is made: prompt tokens weigh 0, each response token
 * that the policy sampled or was forced to say (the stop token included) weighs what the aggregation says, one that a
 * budget rule injected or that an environment said weighs 0, and a truncated trajectory weighs 0 when the loss masks
 * those. Segments of an episode are sequences of their own; aggregation sees their trajectory whole.
 */
export function packTrajectories(samples: readonly WeighedTrajectory[], spec: LossSpec): Batch {
  const { tokens_N, offsets_S1: starts } = join(samples.map(({ trajectory }) => trajectory.tokens));
  const mask_N = new Float32Array(tokens_N.length);
  const advantages_N = new Float32Array(tokens_N.length);
  const behaviourLogprobs_N = new Float32Array(tokens_N.length);
  samples.forEach(({ trajectory, advantage }, s) => {
    const start = starts[s]!;
    const response = start + promptLength(trajectory);
    const end = starts[s + 1]!;
    behaviourLogprobs_N.set(trajectory.logprobs, start);
    if (spec.maskTruncated && isTruncated(trajectory)) return;
    trajectory.origins.forEach(
      (origin, t) => (mask_N[start + t] = origin === ORIGIN.sampled || origin === ORIGIN.forced ? 1 : 0),
    );
    if (typeof advantage === "number") advantages_N.fill(advantage, response, end);
    else advantages_N.set(advantage, response);
  });
  const { aggregation, normConstant } = spec;
  const weights_N =
    aggregation === "group-token-mean"
      ? groupTokenMeanWeights(mask_N, starts, groupsOf(samples))
      : tokenWeights({ mask_N, offsets_S1: starts, aggregation, normConstant });
  samples.forEach(({ trajectory, factors }, s) => {
    const response = starts[s]! + promptLength(trajectory);
    factors?.forEach((factor, t) => (weights_N[response + t]! *= factor));
  });
  return { tokens_N, offsets_S1: segmentOffsets(samples, starts), weights_N, advantages_N, behaviourLogprobs_N };
}

/** Where sequences begin: one for each segment. */
function segmentOffsets(samples: readonly WeighedTrajectory[], starts: Int32Array): Int32Array {
  const ofSamples = samples.flatMap(({ trajectory }, s) =>
    segmentStarts(trajectory).map((start) => starts[s]! + start),
  );
  return Int32Array.from([...ofSamples, starts.at(-1)!]);
}

/** Index of each sample's group. */
function groupsOf(samples: readonly WeighedTrajectory[]): number[] {
  const ids = [...new Set(samples.map(({ trajectory }) => trajectory.groupId))];
  return samples.map(({ trajectory }) => ids.indexOf(trajectory.groupId));
}

/** Packs a supervised batch: token mean over everything from each sequence's `lossFrom` on that is not taken out. */
export function packLabelled(sequences: readonly LabelledSequence[]): Batch {
  const { tokens_N, offsets_S1 } = join(sequences.map(({ tokens }) => tokens));
  const zeros = (): Float32Array => new Float32Array(tokens_N.length);
  const nextTokenWeights_N = zeros();
  sequences.forEach(({ lossFrom, without = [] }, s) => {
    const begin = offsets_S1[s]!;
    // A sequence's first token is predicted from nothing.
    nextTokenWeights_N.fill(1, begin + Math.max(1, lossFrom), offsets_S1[s + 1]!);
    for (const [start, end] of without) nextTokenWeights_N.fill(0, begin + start, begin + end);
  });
  const count = nextTokenWeights_N.reduce((sum, weight) => sum + weight, 0);
  if (count > 0) nextTokenWeights_N.forEach((weight, n) => (nextTokenWeights_N[n] = weight / count));
  return {
    tokens_N,
    offsets_S1,
    weights_N: zeros(),
    advantages_N: zeros(),
    behaviourLogprobs_N: zeros(),
    nextTokenWeights_N,
  };
}

function join(sequences: readonly Int32Array[]): { tokens_N: Int32Array; offsets_S1: Int32Array } {
  const offsets_S1 = new Int32Array(sequences.length + 1);
  sequences.forEach((tokens, s) => (offsets_S1[s + 1] = offsets_S1[s]! + tokens.length));
  const tokens_N = new Int32Array(offsets_S1[sequences.length]!);
  sequences.forEach((tokens, s) => tokens_N.set(tokens, offsets_S1[s]));
  return { tokens_N, offsets_S1 };
}
