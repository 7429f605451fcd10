/** What one step did: metric name (`area/name/stat`) → value. `core/docs/metrics.md` lists them. */
export interface StepReport {
  readonly step: number;
  readonly stage: string;
  /** Policy version after the step. */
  readonly version: number;
  /** Response tokens sampled in training so far, dropped groups included. */
  readonly trainTokens: number;
  readonly metrics: Readonly<Record<string, number>>;
}
