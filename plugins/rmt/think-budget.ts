/** How the think budget falls over a run. */
export interface BudgetSchedule {
  readonly initial: number;
  /** Share of it that is left at the end. */
  readonly factor: number;
  readonly min: number;
  readonly exponent: number;
}

/** Products such as 800 · 0.2 miss their exact value by some 1e-14, and floor would turn that into a whole token. */
const TOLERANCE = 1e-9;

/**
 * Think budget of a moment: a target for the tokens of one think block, not a cap.
 *
 *     B_t = max(B_min, ⌊B_0 · g^((t/T)^k)⌋)
 *
 * Source: RMT (arXiv:2509.24375), dynamic token budget; k is our reading of an exponent that summaries garble, 1 unless set.
 *
 * @param progress t/T in [0, 1]
 * @returns whole tokens, never more than at an earlier moment
 * @example
 * thinkBudget(0.5, { initial: 800, factor: 0.2, min: 1, exponent: 1 }); // 357
 */
export function thinkBudget(progress: number, { initial, factor, min, exponent }: BudgetSchedule): number {
  return Math.max(min, Math.floor(initial * factor ** (progress ** exponent) + TOLERANCE));
}
