import type { Evaluation } from "./records/evaluation.js";
import type { StepReport } from "./records/step-report.js";
import type { TaskCursor } from "./rollout/task-order.js";

/** What a run has to remember from step to step; saved whole in every checkpoint. */
export interface RunState {
  step: number;
  /** Live policy version. */
  version: number;
  /** Response tokens sampled in training so far. */
  trainTokens: number;
  cursor: TaskCursor;
  /** Training samples so far with an advantage other than 0. */
  instructive: number;
  lastReport: StepReport | undefined;
  evaluations: DatedEvaluation[];
  /** Seconds of work in earlier attempts. */
  wallSeconds: number;
}

/** An evaluation with when it was made. */
export interface DatedEvaluation {
  readonly step: number;
  readonly trainTokens: number;
  readonly evaluation: Evaluation;
}

/** Where every run begins. */
export function emptyState(evaluations: readonly DatedEvaluation[] = []): RunState {
  return {
    step: 0,
    version: 0,
    trainTokens: 0,
    cursor: { taken: 0 },
    instructive: 0,
    lastReport: undefined,
    evaluations: [...evaluations],
    wallSeconds: 0,
  };
}
