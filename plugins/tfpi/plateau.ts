/** What one evaluation says about a stage. */
export interface StageEvaluation {
  /** Share of responses cut at the cap, in [0, 1]. */
  readonly truncated: number;
  /** Validation accuracy in percent. */
  readonly accuracy: number;
}

/** When a stage counts as flat. */
export interface PlateauRule {
  /** Successive changes that must all be small. */
  readonly window: number;
  readonly truncationTolerance: number;
  /** Percentage points. */
  readonly accuracyTolerance: number;
}

/**
 * Whether a stage has nothing more to give: each of the last `window` changes from one evaluation to the next lies
 * within both tolerances. The TFPI paper switches by hand where these curves bend; the rule is ours.
 *
 * @param evaluations in order, all of one stage; below `window` + 1 of them the answer is no
 */
export function hasPlateaued(evaluations: readonly StageEvaluation[], rule: PlateauRule): boolean {
  const recent = evaluations.slice(-(rule.window + 1));
  return (
    recent.length === rule.window + 1 &&
    recent.slice(1).every((evaluation, index) => {
      const previous = recent[index]!;
      return (
        Math.abs(evaluation.truncated - previous.truncated) <= rule.truncationTolerance &&
        Math.abs(evaluation.accuracy - previous.accuracy) <= rule.accuracyTolerance
      );
    })
  );
}
