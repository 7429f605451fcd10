import type { EngineOptions, MemoryReport, MemoryUse } from "@troupe/core/sdk";
import { callNativeSync, MEMORY_KINDS, nativeAddon } from "./addon.js";
import { learnerOptions } from "./learner-options.js";
import { memoryOfProcess } from "./machine.js";
import { microBatchTokens } from "./micro-batches.js";

/**
 * What an engine will hold in memory at most, without making it. The sums are of the tables that it allocates from, so
 * they hold to the size of a page; what JavaScript holds beside it (batches, files being read) is not in them.
 *
 * @returns undefined for a GPU, whose own side knows how much memory is left
 * @throws SHAPE_NOT_VALID, INPUT_NOT_VALID naming an adapter's target that matches nothing
 */
export function memoryReport(options: EngineOptions, use: MemoryUse): MemoryReport | undefined {
  if (options.device === "cuda") return undefined;
  const micro = options.training?.microBatchTokens ?? microBatchTokens(options);
  const availableBytes = memoryOfProcess();
  const entries = callNativeSync("report memory", () =>
    nativeAddon("cpu").memory(options.shape, learnerOptions(options), {
      // A sequence longer than a micro-batch gets one of its own.
      trainedTokens: use.trains ? Math.max(micro, use.sequenceTokens) : 0,
      sampledSequences: use.sequences,
      sampledTokens: use.sequenceTokens,
      cacheBytes: options.cacheBytes ?? availableBytes / 4,
      keepsReference: use.keepsReference,
    }),
  ).map(({ name, kind, bytes }) => ({ name, kind: MEMORY_KINDS[kind] ?? "activations", bytes }));
  return { entries, bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0), availableBytes };
}
