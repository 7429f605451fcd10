import { mean, quantile, standardDeviation } from "../numerics/statistics.js";
import type { Sample } from "../records/group.js";
import { hasThought } from "../records/think-block.js";
import {
  isEpisode,
  isTruncated,
  policyLength,
  promptLength,
  segmentStarts,
  type Trajectory,
} from "../records/trajectory.js";

/** Metrics of what was sampled in a step, whatever became of it. */
export function sampleMetrics(samples: readonly Sample[]): Readonly<Record<string, number>> {
  const trajectories = samples.map(({ trajectory }) => trajectory);
  const lengths = trajectories.map(policyLength);
  const ended = trajectories.filter((trajectory) => !isTruncated(trajectory)).map(policyLength);
  const share = (count: number): number => count / Math.max(1, samples.length);
  const entropies = trajectories.map((trajectory) =>
    trajectory.entropies.subarray(promptLength(trajectory)).reduce((sum, entropy) => sum + entropy, 0),
  );
  return {
    "verdict/pass": share(samples.filter(({ verdict }) => verdict.kind === "pass").length),
    "len/mean": mean(lengths),
    "len/p90": quantile(lengths, 0.9),
    "len/max": Math.max(...lengths),
    ...(ended.length > 0 ? { "len/mean_terminated": mean(ended) } : {}),
    "len/truncated": share(trajectories.filter(isTruncated).length),
    "think/rate": share(trajectories.filter(hasThought).length),
    "entropy/mean":
      entropies.reduce((sum, entropy) => sum + entropy, 0) /
      Math.max(
        1,
        lengths.reduce((sum, length) => sum + length, 0),
      ),
    ...episodeMetrics(trajectories.filter(isEpisode)),
  };
}

/** Metrics of episodes; none without any. */
function episodeMetrics(episodes: readonly Trajectory[]): Readonly<Record<string, number>> {
  if (episodes.length === 0) return {};
  const turns = episodes.map((episode) => episode.turns.filter(({ role }) => role === "policy").length);
  return {
    "turn/mean": mean(turns),
    "turn/max": Math.max(...turns),
    "turn/out_of": mean(episodes.map(({ stopReason }) => (stopReason === "turns" ? 1 : 0))),
    "turn/breaks": episodes.reduce((sum, episode) => sum + segmentStarts(episode).length - 1, 0),
  };
}

/** Metrics of a cohort's rewards. */
export function rewardMetrics(
  groups: readonly { readonly rewards_G: readonly number[] }[],
  raw_N: readonly number[],
): Readonly<Record<string, number>> {
  const rewards_N = groups.flatMap(({ rewards_G }) => rewards_G);
  return {
    "reward/mean": mean(rewards_N),
    "reward/std": standardDeviation(rewards_N, "population"),
    "reward/raw/mean": mean(raw_N),
    "group/zero_var":
      groups.filter(({ rewards_G }) => rewards_G.every((reward) => reward === rewards_G[0])).length /
      Math.max(1, groups.length),
  };
}

/** How many versions the samples of an update are behind the one that learns from them. */
export function stalenessMetrics(
  groups: readonly { readonly group: { readonly samples: readonly Sample[] } }[],
  version: number,
): Readonly<Record<string, number>> {
  const spans = groups.flatMap(({ group }) => group.samples.flatMap(({ trajectory }) => trajectory.versions));
  const behind = spans.map((span) => version - span.version);
  if (behind.length === 0) return {};
  return { "staleness/mean": mean(behind), "staleness/max": Math.max(...behind) };
}
