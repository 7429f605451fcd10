import type { RunConfig } from "../config/run-config.js";
import type { EngineOptions, ModelShape } from "./policy-engine.js";

/** How the engine of a run is made. */
export function engineOptions(config: RunConfig, shape: ModelShape): EngineOptions {
  const { threads, lora, dtype, device, invariant, gpus, placement } = config.policy;
  const { recompute, microBatchTokens, staleness } = config.train;
  return {
    shape,
    seed: config.seed,
    dtype,
    device,
    invariant,
    ...(gpus > 1 ? { gpus } : {}),
    ...(threads > 0 ? { threads } : {}),
    ...(lora ? { lora } : {}),
    // The learner or who samples from it is not a thread of this process.
    share: placement === "process" || config.rollout.placement === "process",
    // Samples are of the version that was live when they were asked for, however late they are made, or made again.
    olderVersions: staleness,
    training: { recompute, ...(microBatchTokens > 0 ? { microBatchTokens } : {}) },
  };
}
