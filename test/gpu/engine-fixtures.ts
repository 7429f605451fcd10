import type { GenerateRequest, ModelShape, OptimizerStep } from "../../core/src/engines/policy-engine.js";
import { deriveKey, Random } from "../../core/src/numerics/random.js";
import type { Batch } from "../../core/src/records/batch.js";
import type { LossSpec } from "../../core/src/records/loss-spec.js";

/** Sizes that fill no vector evenly, so that every kernel meets its edges. */
export const ODD_QWEN3: ModelShape = {
  vocabSize: 37,
  hiddenSize: 22,
  layers: 2,
  heads: 6,
  kvHeads: 2,
  headSize: 10,
  intermediateSize: 41,
  maxPositions: 160,
  ropeTheta: 1000,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: true,
  qkvBias: false,
};

/** More ids than one vocabulary block, so that the head passes by in parts. */
export const WIDE_VOCABULARY: ModelShape = { ...ODD_QWEN3, layers: 1, vocabSize: 4500 };

/** The architectures, small. */
export const SHAPES: readonly (readonly [string, ModelShape])[] = [
  ["Qwen3", ODD_QWEN3],
  ["Qwen2", { ...ODD_QWEN3, qkNorm: false, qkvBias: true, heads: 3, kvHeads: 3, headSize: 14 }],
  [
    "Llama",
    {
      ...ODD_QWEN3,
      qkNorm: false,
      tieEmbeddings: false,
      kvHeads: 1,
      vocabSize: 70,
      hiddenSize: 48,
      headSize: 40,
      // Pairs 0 to 8 keep their frequency, 9 to 12 have a mixed one, the rest turn slower.
      ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 500 },
    },
  ],
];

/** Both losses at once, with an entropy term: every path of the gradient is used. */
export const EVERY_TERM: LossSpec = {
  temperature: 0.8,
  ratio: "token",
  clipLow: 0.2,
  clipHigh: 0.28,
  dualClip: Infinity,
  aggregation: "token-mean",
  normConstant: 1,
  klCoefficient: 0,
  klEstimator: "k3",
  entropyCoefficient: 0.05,
  importance: null,
  maskTruncated: false,
  nextTokenCoefficient: 0.3,
};

/** The supervised loss alone. */
export const NEXT_TOKEN: LossSpec = { ...EVERY_TERM, temperature: 1, entropyCoefficient: 0, nextTokenCoefficient: 1 };

/** A moderate update. */
export const STEP: OptimizerStep = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradNorm: 1,
};

/** Random sequences of the given lengths, with random weights and advantages. */
export function randomBatch(shape: ModelShape, lengths: readonly number[], seed = 3): Batch {
  const random = new Random(deriveKey(seed, "batch"));
  const offsets = [0];
  for (const length of lengths) offsets.push((offsets.at(-1) ?? 0) + length);
  const N = offsets.at(-1) ?? 0;
  const first = new Set(offsets);
  const perToken = (draw: () => number) => Float32Array.from({ length: N }, (_, n) => (first.has(n) ? 0 : draw()));
  return {
    tokens_N: Int32Array.from({ length: N }, () => random.integer(0, shape.vocabSize)),
    offsets_S1: Int32Array.from(offsets),
    weights_N: perToken(() => (random.uniform() < 0.7 ? 1 / N : 0)),
    advantages_N: perToken(() => random.normal()),
    behaviourLogprobs_N: perToken(() => -Math.log(shape.vocabSize) + 0.2 * random.normal()),
    nextTokenWeights_N: perToken(() => (random.uniform() < 0.8 ? 1 / N : 0)),
  };
}

/** Plain sampling at temperature 1; fields can be replaced. */
export function requestOf(index: number, fields: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    promptTokens: Int32Array.from({ length: 1 + (index % 45) }, (_, t) => (index * 7 + t * 3) % 37),
    maxTokens: 5 + (index % 61),
    temperature: 1,
    topP: 1,
    topK: 0,
    minP: 0,
    stopTokens: [],
    seed: [index, 99],
    ...fields,
  };
}
