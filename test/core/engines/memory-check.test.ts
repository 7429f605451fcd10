import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../../core/src/config/run-config.js";
import { checkMemory, memoryText } from "../../../core/src/engines/memory-check.js";
import * as gpu from "../../../gpu/src/index.js";
import { ODD_QWEN3 } from "../../gpu/engine-fixtures.js";

const config = runConfigSchema.parse({ name: "a", policy: { from: "." }, environment: { use: "arithmetic" } });
const shape = {
  ...ODD_QWEN3,
  vocabSize: 50_000,
  hiddenSize: 1024,
  layers: 24,
  intermediateSize: 4096,
  headSize: 64,
  heads: 16,
};

/** The native engine on a machine with this much memory. */
const machineOf = (availableBytes: number) => ({
  ...gpu,
  memoryReport: (...args: Parameters<typeof gpu.memoryReport>) => {
    const report = gpu.memoryReport(...args);
    return report && { ...report, availableBytes };
  },
});

describe("checkMemory()", () => {
  it("gives the report of a run that fits, readable in one line", () => {
    const report = checkMemory(machineOf(64e9), config, shape);
    expect(memoryText(report!)).toMatch(/^\d+\.\d\d GB at most of 64\.00 GB: weights .+, optimizer .+, cache /);
  });

  it("throws MEMORY_TOO_SMALL naming the settings under which the run fits", () => {
    const needed = checkMemory(machineOf(64e9), config, shape)!.bytes;
    expect(() => checkMemory(machineOf(needed - 1e9), config, shape)).toThrow(
      expect.objectContaining({
        code: "MEMORY_TOO_SMALL",
        exitCode: 4,
        hint: expect.stringMatching(/^It fits with .*train\.recompute: layers \(\d+\.\d\d GB\).* policy\.lora/),
      }),
    );
    expect(() => checkMemory(machineOf(1e9), config, shape)).toThrow(
      expect.objectContaining({ hint: "Start from a smaller policy, or use a machine with more memory" }),
    );
  });
});
