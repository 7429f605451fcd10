import type { EngineOptions } from "@troupe/core/sdk";
import { FORMAT, nativeAddon, RECOMPUTE, type LearnerOptions } from "./addon.js";

/** Engine options as native code takes them. */
export function learnerOptions(options: EngineOptions): LearnerOptions {
  const {
    threads = nativeAddon(options.device).threads(),
    dtype = "fp32",
    device = "cpu",
    invariant = true,
    gpus = 1,
    lora,
    share = false,
    training = {},
  } = options;
  return {
    threads,
    recompute: RECOMPUTE.indexOf(training.recompute ?? "nothing"),
    format: FORMAT[dtype],
    fastGradients: device === "cuda" && !invariant,
    ranks: gpus,
    adapterRank: lora?.rank ?? 0,
    adapterAlpha: lora?.alpha ?? 0,
    adapterTargets: lora?.targets.join(" ") ?? "",
    shared: share,
    blank: options.blank ?? false,
    olderVersions: options.olderVersions ?? 0,
  };
}
