import { errors } from "../errors.js";
import { field } from "../store/jsonl.js";
import type { DataRow, Decision } from "./row.js";
import { drop, KEEP, valueAt } from "./row.js";

/**
 * How often a policy solved a row, with all that makes the score worth keeping: a score without policy and verifier
 * version cannot be told from one that another policy got.
 */
export interface Difficulty {
  readonly attempts: number;
  readonly passes: number;
  /** Mean tokens of the attempts, where they were counted. */
  readonly tokens?: number;
  readonly policy: string;
  readonly verifier: string;
  readonly verifierVersion: string;
  /** How the attempts were sampled, in words: "T 0.6, top-p 0.95". */
  readonly sampling: string;
}

/**
 * The score that `troupe data score` left in a row.
 *
 * @throws SCORE_NOT_VALID naming row and field
 */
export function difficultyOf({ value, number, id }: DataRow): Difficulty {
  const score = valueAt(value, "difficulty");
  const invalid = (problem: string, cause?: unknown) => errors.scoreNotValid({ row: number, id, problem }, cause);
  let difficulty: Difficulty;
  try {
    const attempts = field(score, "attempts", "number");
    const passes = field(score, "passes", "number");
    const tokens = valueAt(value, "difficulty.tokens");
    difficulty = {
      attempts,
      passes,
      ...(typeof tokens === "number" ? { tokens } : {}),
      policy: field(score, "policy", "string"),
      verifier: field(score, "verifier", "string"),
      verifierVersion: field(score, "verifierVersion", "string"),
      sampling: field(score, "sampling", "string"),
    };
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const { attempts, passes } = difficulty;
  if (!(attempts >= 1 && passes >= 0 && passes <= attempts)) throw invalid(`it has ${passes} passes of ${attempts}`);
  return difficulty;
}

/** Which rows stay, by how often they were solved. */
export interface PassLimits {
  /** Attempts that every score must have. */
  readonly of: number;
  /** Solved more often than this is too easy. */
  readonly maxPasses?: number;
  /** Failed more often than this is too hard. */
  readonly maxFailures?: number;
}

/**
 * Pools of AceReason's last mathematics stages: solved more than 6, 10 or 14 times of 16 by the policy about to be
 * trained is dropped. Never-solved rows stay.
 *
 * Source: arXiv:2505.16400.
 */
export const POOLS = { hard: 6, medium: 10, easy: 14 } as const;

/** Whether a score lies within limits. Both are strict: 6 of 16 is not more than 6. @throws SCORE_NOT_VALID */
export function withinLimits(row: DataRow, { of, maxPasses, maxFailures }: PassLimits): Decision {
  const { attempts, passes } = difficultyOf(row);
  if (attempts !== of)
    throw errors.scoreNotValid({
      row: row.number,
      id: row.id,
      problem: `it has ${attempts} attempts, wanted are ${of}`,
    });
  if (maxPasses !== undefined && passes > maxPasses) return drop("too-easy", `${passes} of ${attempts}`);
  const failures = attempts - passes;
  if (maxFailures !== undefined && failures > maxFailures)
    return drop("too-hard", `${failures} failures of ${attempts}`);
  return KEEP;
}

/** Lengths of a teacher's answers between which only some rows stay. */
export interface LengthLimits {
  /** Below is dropped, in tokens. */
  readonly min: number;
  /** From `min` up to and with this, one row in `oneIn` stays. */
  readonly sampleTo: number;
  readonly oneIn: number;
}

/**
 * Whether a row that a teacher answered at this length stays: short answers mean an easy question.
 *
 * Source: AceReason drops below 2,000 tokens and thins out up to 4,000; it does not say by how much.
 *
 * @param chance of the row in [0, 1), the same on every run
 */
export function byLength(tokens: number, chance: number, { min, sampleTo, oneIn }: LengthLimits): Decision {
  if (tokens < min) return drop("answered-briefly", `${tokens} tokens`);
  if (tokens <= sampleTo && chance >= 1 / oneIn) return drop("thinned-out", `${tokens} tokens`);
  return KEEP;
}
