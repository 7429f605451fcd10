import type { JsonObject } from "./json.js";

/** What one step will do; `plan` hooks change it, everything after reads it. */
export interface StepPlan {
  /** Name shown on curves and in reports. */
  readonly stage: string;
  /** Sampled tokens per trajectory at most; the prompt does not count. */
  readonly maxTokens: number;
  /** Groups that feed the update. */
  readonly promptsPerStep: number;
  readonly groupSize: number;
  /** Generation rounds a step may take when groups are dropped or resampled. */
  readonly maxRounds: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly learningRate: number;
  /** Optimizer updates per cohort; 1 is strictly on-policy. */
  readonly updatesPerBatch: number;
  /** Set for one step: optimizer moments are cleared before the update. */
  readonly resetOptimizer: boolean;
  /** Plugin name → what that plugin's other hooks need to know in this step, on whichever thread they run. */
  readonly parameters: Readonly<Record<string, JsonObject>>;
}
