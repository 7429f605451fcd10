import type { RunConfig } from "../config/run-config.js";
import type { EngineOptions, ModelShape } from "./policy-engine.js";

/** How the engine of a run is made. */
export function engineOptions(config: RunConfig, shape: ModelShape): EngineOptions {
  const { threads, lora, dtype, device, placement } = config.policy;
  const { recompute, microBatchTokens } = config.train;
  return {
    shape,
    seed: config.seed,
    dtype,
    device,
    ...(threads > 0 ? { threads } : {}),
    ...(lora ? { lora } : {}),
    // Rollout actors are threads of this process, the learner then is not.
    share: placement === "process",
    training: { recompute, ...(microBatchTokens > 0 ? { microBatchTokens } : {}) },
  };
}
