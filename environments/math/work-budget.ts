import { errors } from "../errors.js";

/**
 * What one check may still spend, in steps of very roughly half a microsecond at most. Steps are counted, not timed, so
 * the same answer gets the same verdict on a slow and on a busy machine.
 */
export class WorkBudget {
  readonly limit: number;
  #left: number;

  constructor(limit = 100_000) {
    this.limit = limit;
    this.#left = limit;
  }

  /** @throws MATH_WORK_EXCEEDED */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw errors.mathWorkExceeded({ what: "it needs more steps", limit: this.limit });
  }
}

/** Limits on what is read at all. */
export const SIZE_LIMITS = {
  /** Characters of one answer. */
  characters: 4096,
  /** Brackets, braces, exponents and function arguments inside one another. */
  depth: 200,
  /** Items of one list, set, tuple or matrix. */
  items: 200,
  /** Bits of an integer that is worked out exactly; larger ones are compared by their residues. */
  bits: 32_768,
} as const;
