import type { StepPlan } from "./step-plan.js";
import type { Task } from "./task.js";
import type { Trajectory } from "./trajectory.js";
import type { Verdict } from "./verdict.js";

/** One trajectory with what its verifier found. */
export interface Sample {
  readonly trajectory: Trajectory;
  readonly verdict: Verdict;
}

/** The G trajectories of one task, verified; samples whose verdict may not reach a gradient are already gone. */
export interface Group {
  readonly id: string;
  readonly task: Task;
  readonly samples: readonly Sample[];
}

/** Exactly the groups of one optimizer step, before any is filtered out. */
export interface Cohort {
  readonly step: number;
  readonly plan: StepPlan;
  readonly groups: readonly Group[];
}

/** All samples of a cohort in order: group by group, slot by slot. Rewards have the same order. */
export function samplesOf(cohort: Cohort): readonly Sample[] {
  return cohort.groups.flatMap((group) => group.samples);
}
