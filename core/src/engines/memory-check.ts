import type { RunConfig } from "../config/run-config.js";
import { errors } from "../errors.js";
import { engineOptions } from "./engine-options.js";
import type { EngineModule, MemoryReport, MemoryUse, ModelShape } from "./policy-engine.js";

/**
 * What a run's engine will hold in memory; undefined for an engine that does not say.
 *
 * @throws MEMORY_TOO_SMALL, before anything is allocated, when the process may not use that much: with the settings
 *   under which it would fit
 */
export function checkMemory(module: EngineModule, config: RunConfig, shape: ModelShape): MemoryReport | undefined {
  const report = reportOf(module, config, shape);
  if (!report || report.bytes <= report.availableBytes) return report;
  const fits = (changed: RunConfig) => {
    const bytes = reportOf(module, changed, shape)?.bytes ?? Infinity;
    return bytes <= report.availableBytes ? gigabytes(bytes) : undefined;
  };
  const remedies = smallerConfigs(config).flatMap(({ setting, changed }) => {
    const bytes = fits(changed);
    return bytes === undefined ? [] : [`${setting} (${bytes})`];
  });
  throw errors.memoryTooSmall({
    needed: gigabytes(report.bytes),
    available: gigabytes(report.availableBytes),
    parts: partsText(report),
    remedies,
  });
}

/** One line: how much of what, of how much. */
export function memoryText(report: MemoryReport): string {
  return `${gigabytes(report.bytes)} at most of ${gigabytes(report.availableBytes)}: ${partsText(report)}`;
}

function reportOf(module: EngineModule, config: RunConfig, shape: ModelShape): MemoryReport | undefined {
  return module.memoryReport?.(engineOptions(config, shape), memoryUse(config, shape));
}

/** A prompt as long as an answer is assumed. */
function memoryUse(config: RunConfig, shape: ModelShape): MemoryUse {
  const { train, rollout } = config;
  return {
    trains: train.steps > 0,
    keepsReference: config.loss.klCoefficient > 0,
    sequences: train.promptsPerStep * train.groupSize,
    sequenceTokens: Math.min(shape.maxPositions, 2 * rollout.maxTokens),
  };
}

/** The same run in less memory, each with the setting that makes it so; cheapest in quality and time first. */
function smallerConfigs(config: RunConfig): { readonly setting: string; readonly changed: RunConfig }[] {
  const { policy, train } = config;
  const trained = (changes: Partial<RunConfig["train"]>) => ({ ...train, ...changes });
  const recompute = "layers" as const;
  const lora = {
    rank: 16,
    alpha: 32,
    targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
  };
  return [
    { setting: "train.microBatchTokens: 512", changed: { ...config, train: trained({ microBatchTokens: 512 }) } },
    { setting: `train.recompute: ${recompute}`, changed: { ...config, train: trained({ recompute }) } },
    { setting: "policy.dtype: bf16", changed: { ...config, policy: { ...policy, dtype: "bf16" } } },
    { setting: "policy.lora: {}", changed: { ...config, policy: { ...policy, lora } } },
    {
      setting: `policy.lora: {} with train.recompute: ${recompute} and policy.dtype: bf16`,
      changed: {
        ...config,
        policy: { ...policy, lora, dtype: "bf16" },
        train: trained({ recompute, microBatchTokens: 512 }),
      },
    },
  ];
}

function partsText({ entries }: MemoryReport): string {
  const kinds = new Map<string, number>();
  for (const { kind, bytes } of entries) kinds.set(kind, (kinds.get(kind) ?? 0) + bytes);
  return Array.from(kinds, ([kind, bytes]) => `${kind} ${gigabytes(bytes)}`).join(", ");
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
