/** One step on the way to a verdict, for `explain`. */
export interface TraceStep {
  readonly step: string;
  readonly says: string;
}
