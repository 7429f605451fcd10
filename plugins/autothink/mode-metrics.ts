import { mean } from "@troupe/core/sdk";
import type { Outcome } from "./rewards.js";

/** One response as the metrics see it. */
export interface ModeSample extends Outcome {
  /** Response tokens. */
  readonly length: number;
  /** Tokens after the think block; undefined when it was not counted. */
  readonly answerLength: number | undefined;
  readonly difficulty: number | undefined;
}

/**
 * Think rate of the cohort (the balance's z) and by difficulty, and accuracy, length and answer length of all and of each
 * mode. Answers without thinking that grow towards the length of thinking show reasoning that moved behind the tag.
 *
 * @returns metric → value; a mode or difficulty without samples has no metric
 */
export function modeMetrics(samples: readonly ModeSample[]): Record<string, number> {
  const metrics: Record<string, number> = {};
  const put = (name: string, values: readonly number[]): void => {
    if (values.length > 0) metrics[name] = mean(values);
  };
  put("autothink/think_rate/all", samples.map(thinkFlag));
  for (const difficulty of new Set(samples.map((sample) => sample.difficulty))) {
    if (difficulty === undefined) continue;
    put(
      `autothink/think_rate/difficulty_${difficulty}`,
      samples.filter((sample) => sample.difficulty === difficulty).map(thinkFlag),
    );
  }
  for (const [mode, ofMode] of [
    ["all", samples],
    ["think", samples.filter(({ think }) => think)],
    ["nothink", samples.filter(({ think }) => !think)],
  ] as const) {
    put(
      `autothink/accuracy/${mode}`,
      ofMode.map((sample) => (sample.correct ? 1 : 0)),
    );
    put(
      `autothink/length/${mode}`,
      ofMode.map((sample) => sample.length),
    );
    put(
      `autothink/answer_length/${mode}`,
      ofMode.flatMap(({ answerLength }) => (answerLength === undefined ? [] : [answerLength])),
    );
  }
  return metrics;
}

const thinkFlag = (sample: ModeSample): number => (sample.think ? 1 : 0);
