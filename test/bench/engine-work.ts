import type { Batch, GenerateRequest, LossSpec, ModelShape, OptimizerStep } from "@troupe/core/sdk";
import { deriveKey, Random } from "@troupe/core/sdk";

/** The 2M-parameter shape that figures of other systems were taken with. */
export const SHAPE_2M: ModelShape = {
  vocabSize: 512,
  hiddenSize: 192,
  layers: 5,
  heads: 6,
  kvHeads: 2,
  headSize: 32,
  intermediateSize: 512,
  maxPositions: 1024,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: true,
  qkvBias: false,
};

/** About 0.97 M parameters. */
export const SHAPE_1M: ModelShape = { ...SHAPE_2M, hiddenSize: 128, heads: 4, intermediateSize: 344 };

/** About 4.98 M parameters. */
export const SHAPE_5M: ModelShape = {
  ...SHAPE_2M,
  vocabSize: 1024,
  hiddenSize: 256,
  layers: 6,
  heads: 8,
  kvHeads: 4,
  intermediateSize: 768,
};

/** Qwen2.5-1.5B. */
export const SHAPE_1_5B: ModelShape = {
  vocabSize: 151_936,
  hiddenSize: 1536,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  headSize: 128,
  intermediateSize: 8960,
  maxPositions: 4096,
  ropeTheta: 1e6,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: false,
  qkvBias: true,
};

/** The supervised loss alone. */
export const NEXT_TOKEN: LossSpec = {
  temperature: 1,
  ratio: "token",
  clipLow: 0,
  clipHigh: 0,
  dualClip: Infinity,
  aggregation: "token-mean",
  normConstant: 1,
  klCoefficient: 0,
  klEstimator: "k3",
  entropyCoefficient: 0,
  importance: null,
  maskTruncated: false,
  nextTokenCoefficient: 1,
};

/** An ordinary AdamW step. */
export const ADAMW: OptimizerStep = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
};

/** Weights that take part in a product for every token; a tied embedding counts as the head. */
export function productWeights(shape: ModelShape): number {
  const { vocabSize, hiddenSize, layers, heads, kvHeads, headSize, intermediateSize } = shape;
  const attention = hiddenSize * headSize * (2 * heads + 2 * kvHeads);
  return layers * (attention + 3 * hiddenSize * intermediateSize) + vocabSize * hiddenSize;
}

/**
 * FLOPs of one token of a forward pass over whole sequences: 2 N + 2 L q T, with N weights, L layers, q = heads × head
 * size and T the sequences' length, of which a token sees half.
 */
export function forwardFlops(shape: ModelShape, length: number): number {
  return 2 * productWeights(shape) + 2 * shape.layers * shape.heads * shape.headSize * length;
}

/** FLOPs of one trained token, 6 N + 6 L q T: the backward pass has two products for each of the forward pass. */
export function trainFlops(shape: ModelShape, length: number): number {
  return 3 * forwardFlops(shape, length);
}

/** FLOPs of one sampled token that sees `context` tokens: 2 N + 4 L q context. */
export function decodeFlops(shape: ModelShape, context: number): number {
  return forwardFlops(shape, 2 * context);
}

/** `count` random sequences of one length as a supervised batch. */
export function supervisedBatch(shape: ModelShape, count: number, length: number): Batch {
  const random = new Random(deriveKey(1, "bench", "batch"));
  const N = count * length;
  const zeros = (): Float32Array => new Float32Array(N);
  return {
    tokens_N: Int32Array.from({ length: N }, () => random.integer(0, shape.vocabSize)),
    offsets_S1: Int32Array.from({ length: count + 1 }, (_, s) => s * length),
    weights_N: zeros(),
    advantages_N: zeros(),
    behaviourLogprobs_N: zeros(),
    // A sequence's first token is predicted from nothing.
    nextTokenWeights_N: zeros().map((_, n) => (n % length === 0 ? 0 : 1 / (N - count))),
  };
}

/** `count` requests that sample exactly `maxTokens` after random prompts. */
export function plainRequests(
  shape: ModelShape,
  count: number,
  promptLength: (request: number) => number,
  maxTokens: number,
): GenerateRequest[] {
  const random = new Random(deriveKey(1, "bench", "prompts"));
  return Array.from({ length: count }, (_, request) => ({
    promptTokens: Int32Array.from({ length: promptLength(request) }, () => random.integer(0, shape.vocabSize)),
    maxTokens,
    temperature: 1,
    topP: 1,
    topK: 0,
    minP: 0,
    stopTokens: [],
    seed: [request, 7],
  }));
}
