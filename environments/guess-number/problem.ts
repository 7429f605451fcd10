import type { Random } from "@troupe/core/sdk";

/** A hidden number, and where it is known to lie. */
export interface Problem {
  readonly low: number;
  readonly high: number;
  /** Enough for one who halves what is left. */
  readonly guesses: number;
  readonly secret: number;
}

/** A number among 2^(d + 1) − 1 for difficulty d; the lowest of them is at most `maxStart`. */
export function drawProblem(random: Random, difficulty: number, maxStart: number): Problem {
  const low = random.integer(1, maxStart + 1);
  const size = 2 ** (difficulty + 1) - 1;
  return { low, high: low + size - 1, guesses: difficulty + 1, secret: low + random.integer(0, size) };
}

/** How a problem is written down: "37..51 in 4: 44". */
export function textOf({ low, high, guesses, secret }: Problem): string {
  return `${low}..${high} in ${guesses}: ${secret}`;
}

/** Reads a problem's text; undefined when it is none. */
export function parseProblem(text: string): Problem | undefined {
  const [low, high, guesses, secret] = /^(\d{1,6})\.\.(\d{1,6}) in (\d{1,3}): (\d{1,6})$/.exec(text)?.slice(1) ?? [];
  if (secret === undefined) return undefined;
  const problem = { low: Number(low), high: Number(high), guesses: Number(guesses), secret: Number(secret) };
  return problem.low <= problem.secret && problem.secret <= problem.high && problem.guesses > 0 ? problem : undefined;
}
