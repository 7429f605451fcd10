import { describe, expect, test } from "vitest";
import { choosePreset, type Candidate } from "../../../../core/cli/init/choose-preset.js";
import { presetNames, readPreset } from "../../../../core/src/config/preset.js";
import { architectureOf, parameterCount } from "../../../../core/src/engines/model-shape.js";
import type { ModelShape } from "../../../../core/src/engines/policy-engine.js";

const QWEN3_4B: ModelShape = {
  vocabSize: 151_936,
  hiddenSize: 2560,
  layers: 36,
  heads: 32,
  kvHeads: 8,
  headSize: 128,
  intermediateSize: 9728,
  maxPositions: 40_960,
  ropeTheta: 1e6,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: true,
  qkvBias: false,
};
const R1_1_5B: ModelShape = {
  ...QWEN3_4B,
  hiddenSize: 1536,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  intermediateSize: 8960,
  maxPositions: 131_072,
  tieEmbeddings: false,
  qkNorm: false,
  qkvBias: true,
};
const R1_7B: ModelShape = {
  ...R1_1_5B,
  vocabSize: 152_064,
  hiddenSize: 3584,
  heads: 28,
  kvHeads: 4,
  intermediateSize: 18_944,
};
const TINY: ModelShape = { ...QWEN3_4B, vocabSize: 298, hiddenSize: 128, layers: 5, heads: 4, maxPositions: 1024 };

function chosen(method: string, directory: string, shape: ModelShape, ...domains: readonly string[]): unknown {
  const candidate: Candidate = {
    directory,
    shape,
    architecture: architectureOf(shape),
    parameters: parameterCount(shape),
    domains,
  };
  const presets = presetNames(".", method).map((name) => readPreset(name, "."));
  const found = choosePreset(presets, candidate);
  return found && [found.preset.name, found.isExact];
}

describe("parameterCount()", () => {
  test.each([
    ["Qwen3-4B", QWEN3_4B, 4_022_468_096],
    ["R1-Distill-Qwen-1.5B", R1_1_5B, 1_777_088_000],
    ["R1-Distill-Qwen-7B", R1_7B, 7_615_616_512],
  ])("counts the numbers of %s as its card does", (_name, shape, count) => {
    expect(parameterCount(shape)).toBe(count);
  });
});

describe("choosePreset()", () => {
  test.each([
    ["tfpi", "models/Qwen3-4B", QWEN3_4B, "tfpi/qwen3-4b"],
    ["tfpi", "models/Qwen3-4B-Thinking-2507", QWEN3_4B, "tfpi/qwen3-4b-2507"],
    ["tfpi", "models/r1-1.5b", R1_1_5B, "tfpi/ds"],
    ["tfpi", "models/r1-7b", R1_7B, "tfpi/ds"],
    ["autothink", "models/DeepSeek-R1-Distill-Qwen-1.5B", R1_1_5B, "autothink/distill-1.5b"],
    ["autothink", "models/DeepScaleR-1.5B-Preview", R1_1_5B, "autothink/deepscaler-1.5b"],
    ["autothink", "models/r1-7b", R1_7B, "autothink/distill-7b"],
    ["autothink", "models/Skywork-OR1-Math-7B", R1_7B, "autothink/skywork-7b"],
    ["curriculum", "models/r1-7b", R1_7B, "curriculum/acereason-7b"],
  ])("%s: takes for %s the preset that was made for it", (method, directory, shape, wanted) => {
    expect(chosen(method, directory, shape, "math", "code")).toEqual([wanted, true]);
  });

  test("takes the preset of the model nearest in size when none was made for this one", () => {
    expect(chosen("tfpi", "models/own-3b", { ...QWEN3_4B, layers: 30 }, "math")).toEqual(["tfpi/qwen3-4b", false]);
    expect(chosen("autothink", "tiny", TINY, "math")).toEqual(["autothink/small", false]);
  });

  test("takes none that needs more positions than there are", () => {
    expect(chosen("tfpi", "models/short", { ...QWEN3_4B, maxPositions: 4096 }, "math")).toEqual(["tfpi/small", false]);
    expect(chosen("tfpi", "models/short", { ...QWEN3_4B, maxPositions: 128 }, "math")).toBeUndefined();
  });

  test("takes of two equals the one for the domains that there are", () => {
    expect(chosen("curriculum", "tiny", TINY, "math", "code")).toEqual(["curriculum/small-math-code", false]);
    expect(chosen("curriculum", "tiny", TINY, "math")).toEqual(["curriculum/small", false]);
  });
});
