/**
 * The mode of evaluation without generation: of tasks that are places in texts, whether the token there is the most
 * probable one, and the perplexity of the texts.
 */
export const NEXT_TOKEN_MODE = "next-token";

/** Part of an evaluation: the tasks of one difficulty. */
export interface DifficultySlice {
  readonly difficulty: number;
  readonly n: number;
  readonly accuracy: number;
  readonly tokensPerAnswer: number;
  readonly thinkRate: number;
}

/** Part of an evaluation: the tasks of one domain. */
export interface DomainSlice {
  readonly domain: string;
  readonly n: number;
  readonly accuracy: number;
  readonly tokensPerAnswer: number;
  readonly thinkRate: number;
}

/** Held-out performance of one policy version in one mode. Rewards are never shaped here. */
export interface Evaluation {
  readonly mode: string;
  readonly version: number;
  /** Tasks. */
  readonly n: number;
  readonly samplesPerTask: number;
  /** Share of gradable answers that are right; partial verdicts count with their score. */
  readonly accuracy: number;
  /** Wilson interval over tasks × samples when samplesPerTask is 1, else over task means (normal). */
  readonly ci95: readonly [number, number];
  /** Mean sampled response tokens. */
  readonly tokensPerAnswer: number;
  /** Share of responses whose thinking block is not empty. */
  readonly thinkRate: number;
  /** Share of responses cut at the token budget. */
  readonly truncated: number;
  /** Samples whose verdict is not gradable; they count in no mean. */
  readonly ungradable: number;
  /** Unbiased pass@k at k = samplesPerTask; equals accuracy at 1. */
  readonly passAtK: number;
  /** Share of tasks with some but not all samples right: what a policy gradient can use. */
  readonly mixedGroups: number;
  readonly byDifficulty: readonly DifficultySlice[];
  /** Where the tasks are of several domains. */
  readonly byDomain?: readonly DomainSlice[];
  /** exp of the mean next-token loss over the texts that tasks stand in; in mode "next-token" alone. */
  readonly perplexity?: number;
  readonly seconds: number;
}

/** Metrics by which the next step's `plan` hooks see held-out accuracy: of all tasks, and of each domain. */
export function accuraciesOf({ accuracy, byDomain = [] }: Evaluation): Readonly<Record<string, number>> {
  const domains = byDomain.map((slice) => [`eval/accuracy/${slice.domain}`, slice.accuracy] as const);
  return { "eval/accuracy": accuracy, ...Object.fromEntries(domains) };
}
