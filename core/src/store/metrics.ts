import type { StepReport } from "../records/step-report.js";
import { field, JsonlWriter, readJsonl, type JsonlContent } from "./jsonl.js";
import type { SegmentOptions } from "./segments.js";

/** What a metric is measured in. */
export type MetricUnit = "1" | "nats" | "tokens" | "tokens/s" | "s" | "count";

/** Unit and meaning of one metric. */
export interface MetricEntry {
  readonly unit: MetricUnit;
  readonly meaning: string;
}

/**
 * Every metric of the runtime, `area/name/stat`. "1" is a share or a ratio. Metrics of plugins begin with the
 * plugin's name and are not listed. `core/docs/metrics.md` is made from this table.
 */
export const METRICS = {
  "reward/mean": { unit: "1", meaning: "Mean reward of the cohort after shaping" },
  "reward/std": { unit: "1", meaning: "Standard deviation of the cohort's rewards after shaping" },
  "reward/raw/mean": { unit: "1", meaning: "Mean verdict score of the cohort before shaping: training accuracy" },
  "verdict/pass": { unit: "1", meaning: "Share of verdicts that are pass" },
  "verdict/ungradable": { unit: "1", meaning: "Share of verdicts that may not reach a gradient" },
  "group/zero_var": { unit: "1", meaning: "Share of groups whose rewards are all equal" },
  "group/kept": { unit: "count", meaning: "Groups that fed the update" },
  "group/dropped": { unit: "count", meaning: "Groups dropped before the update" },
  "group/rounds": { unit: "count", meaning: "Generation rounds that the step took" },
  "sample/yield": { unit: "1", meaning: "Samples that fed the update over samples made in the step" },
  "staleness/mean": { unit: "count", meaning: "Mean number of versions that the update's samples are behind" },
  "staleness/max": { unit: "count", meaning: "Largest number of versions that a sample of the update is behind" },
  "len/mean": { unit: "tokens", meaning: "Mean response length" },
  "len/p90": { unit: "tokens", meaning: "90th percentile of response length" },
  "len/max": { unit: "tokens", meaning: "Longest response" },
  "len/mean_terminated": { unit: "tokens", meaning: "Mean length of the responses that ended by themselves" },
  "len/truncated": { unit: "1", meaning: "Share of responses cut at the token budget" },
  "think/rate": { unit: "1", meaning: "Share of responses whose thinking block is not empty" },
  "turn/mean": { unit: "count", meaning: "Mean number of the policy's turns, in episodes" },
  "turn/max": { unit: "count", meaning: "Largest number of the policy's turns in an episode" },
  "turn/out_of": { unit: "1", meaning: "Share of episodes that ended because their turns were used up" },
  "turn/breaks": {
    unit: "count",
    meaning: "Turns whose chat template wrote the conversation so far in another way; each begins a new segment",
  },
  "loss/policy": { unit: "1", meaning: "Policy term of the loss" },
  "loss/kl": { unit: "nats", meaning: "KL term of the loss, coefficient included" },
  "loss/entropy": { unit: "nats", meaning: "Entropy term of the loss, coefficient included" },
  "loss/next_token": { unit: "nats", meaning: "Supervised next-token term, coefficient included" },
  "entropy/mean": { unit: "nats", meaning: "Mean entropy of the sampling distribution at sampled tokens" },
  "ratio/mean": { unit: "1", meaning: "Mean importance ratio, current policy / behaviour policy" },
  "ratio/max": { unit: "1", meaning: "Largest importance ratio" },
  pg_clipfrac: {
    unit: "1",
    meaning: "Share of tokens whose gradient a clip bound cut; not the share of truncated responses",
  },
  "clip/low": { unit: "1", meaning: "Share of tokens whose gradient the lower bound cut" },
  "clip/high": { unit: "1", meaning: "Share of tokens whose gradient the upper bound cut" },
  "clip/dual": { unit: "1", meaning: "Share of tokens whose gradient the dual clip cut" },
  "importance/mean": { unit: "1", meaning: "Mean importance weight after truncation" },
  "importance/meanSquare": {
    unit: "1",
    meaning: "Mean squared importance weight; mean² over it is the effective sample share",
  },
  "importance/outside": { unit: "1", meaning: "Share of tokens whose importance weight was truncated or masked" },
  "mismatch/mean": {
    unit: "nats",
    meaning:
      "Mean difference of sampler's and learner's logprobs, absolute; what was learned since, and forced logprobs, included",
  },
  "mismatch/max": { unit: "nats", meaning: "The largest of these differences" },
  "mismatch/measured": {
    unit: "1",
    meaning:
      "Share of learned tokens at which sampler and learner were compared: drawn, not forced, by the version that learns; without importance weights those of the first update alone, and none where any of its tokens cannot be compared",
  },
  "mismatch/same/max": {
    unit: "nats",
    meaning: "Largest difference at those tokens, before any update; absent, not 0, where none was compared",
  },
  "weight/sum": {
    unit: "1",
    meaning: "Sum of token weights; means over tokens are to be divided by it where it is not 1",
  },
  "kl/ref": { unit: "nats", meaning: "Mean KL estimate to the reference policy" },
  "kl/mismatch": {
    unit: "nats",
    meaning: "Mean KL estimate between sampler and learner, of the differences of mismatch/mean",
  },
  "grad/norm": { unit: "1", meaning: "Global gradient norm before clipping" },
  "lr/value": { unit: "1", meaning: "Learning rate of the update" },
  "time/step": { unit: "s", meaning: "Wall time of the step" },
  "time/generate": {
    unit: "s",
    meaning: "Wall time of rollout and the hooks before it; with staleness, of waiting for it",
  },
  "time/bubble": {
    unit: "s",
    meaning: "Time that rollout actors had nothing to do for the step while the slowest was at work, mean over actors",
  },
  "time/verify": { unit: "s", meaning: "Wall time of waiting for verdicts, and of the hooks up to the update" },
  "time/train": { unit: "s", meaning: "Wall time of the update" },
  "time/publish": { unit: "s", meaning: "Wall time of publishing the new version" },
  "speed/tokens": { unit: "tokens/s", meaning: "Response tokens per second of the whole step" },
  "speed/train": { unit: "tokens/s", meaning: "Prompt and response tokens per second of the update" },
} as const satisfies Record<string, MetricEntry>;

/** Name of a metric of the runtime. */
export type MetricName = keyof typeof METRICS;

/** The table of `core/docs/metrics.md`. */
export function metricsTable(): string {
  const rows = Object.entries(METRICS).map(([name, { unit, meaning }]) => `| \`${name}\` | ${unit} | ${meaning} |`);
  return ["| metric | unit | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** One line of `metrics.jsonl`. */
export interface MetricsLine extends StepReport {
  /** Seconds of work since the run began, over all attempts. */
  readonly wallSeconds: number;
}

/**
 * Opens `metrics.jsonl` at its end.
 * @throws DISK_FULL, FILE_NOT_PERMITTED
 */
export function openMetrics(file: string, segments?: SegmentOptions): Promise<JsonlWriter<MetricsLine>> {
  return JsonlWriter.open(file, segments);
}

/**
 * Reads `metrics.jsonl`. JSON has no NaN: a value that was not finite is NaN here.
 * @throws LINE_UNREADABLE, FILE_NOT_PERMITTED
 */
export function readMetrics(file: string): Promise<JsonlContent<MetricsLine>> {
  return readJsonl(file, (line) => ({
    step: field(line, "step", "number"),
    stage: field(line, "stage", "string"),
    version: field(line, "version", "number"),
    trainTokens: field(line, "trainTokens", "number"),
    wallSeconds: field(line, "wallSeconds", "number"),
    metrics: Object.fromEntries(
      Object.entries(field(line, "metrics", "object")).map(([name, value]) => [
        name,
        typeof value === "number" ? value : NaN,
      ]),
    ),
  }));
}
