/** How a learning rate moves over a run. */
export interface LearningRateSchedule {
  readonly peak: number;
  readonly schedule: "constant" | "linear" | "cosine";
  /** Steps over which the rate rises from 0. */
  readonly warmupSteps: number;
  /** Share of the peak that is left at the end, in [0, 1]. */
  readonly floor: number;
}

/**
 * The learning rate of one step.
 *
 *     rate = peak · min(1, step / warmupSteps) · decay(p)
 *     decay = 1  "constant"  ·  1 − (1 − floor) p  "linear"  ·  floor + (1 − floor) (1 + cos πp) / 2  "cosine"
 *
 * p is the share of the run that is done, by steps or by tokens, so a run that ends by its token budget decays as far.
 * Cosine: SGDR without restarts (arXiv:1608.03983).
 *
 * @param step from 1
 * @param progress in [0, 1]
 * @example
 * learningRateAt({ peak: 1, schedule: "linear", warmupSteps: 0, floor: 0.1 }, 50, 0.5); // ≈ 0.55
 */
export function learningRateAt(schedule: LearningRateSchedule, step: number, progress: number): number {
  const { peak, warmupSteps, floor } = schedule;
  const warm = warmupSteps === 0 ? 1 : Math.min(1, step / warmupSteps);
  switch (schedule.schedule) {
    case "constant":
      return peak * warm;
    case "linear":
      return peak * warm * (1 - (1 - floor) * progress);
    case "cosine":
      return peak * warm * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * progress))) / 2);
  }
}
