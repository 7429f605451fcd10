import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readModelShape } from "../../../core/src/engines/model-shape.js";
import type { ModelShape } from "../../../core/src/engines/policy-engine.js";
import { policyLoss } from "../../../core/src/numerics/policy-loss.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { runReferenceTransformer } from "../../../core/src/numerics/reference-transformer.js";
import { batchOf, DAPO } from "./loss-fixtures.js";
import { expectAgreement, readTensors, REFERENCE_MODELS, REFERENCE_STATES } from "./reference-states.js";

const base: ModelShape = {
  vocabSize: 7,
  hiddenSize: 6,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headSize: 4,
  intermediateSize: 5,
  maxPositions: 16,
  ropeTheta: 100,
  rmsNormEpsilon: 1e-5,
  tieEmbeddings: true,
  qkNorm: true,
  qkvBias: false,
};

const variants: [string, ModelShape][] = [
  ["Qwen3", base],
  ["Qwen2", { ...base, qkNorm: false, qkvBias: true, headSize: 2, heads: 3, kvHeads: 3 }],
  ["Llama", { ...base, qkNorm: false, tieEmbeddings: false, kvHeads: 1 }],
  [
    "Llama with stretched rotary frequencies",
    {
      ...base,
      qkNorm: false,
      ropeScaling: { factor: 4, lowFrequencyFactor: 1, highFrequencyFactor: 3, originalPositions: 10 },
    },
  ],
];

function randomWeights(shape: ModelShape): Map<string, Float64Array> {
  const random = new Random(deriveKey(11));
  const { hiddenSize: d, vocabSize: V, intermediateSize: f, headSize, qkNorm, qkvBias } = shape;
  const weights = new Map<string, Float64Array>();
  const draw = (name: string, size: number, center = 0) =>
    weights.set(
      name,
      Float64Array.from({ length: size }, () => center + 0.4 * random.normal()),
    );
  draw("model.embed_tokens.weight", V * d);
  for (let l = 0; l < shape.layers; l++) {
    const layer = `model.layers.${l}`;
    for (const [name, heads] of [
      ["q", shape.heads],
      ["k", shape.kvHeads],
      ["v", shape.kvHeads],
    ] as const) {
      draw(`${layer}.self_attn.${name}_proj.weight`, heads * headSize * d);
      if (qkvBias) draw(`${layer}.self_attn.${name}_proj.bias`, heads * headSize);
      if (qkNorm && name !== "v") draw(`${layer}.self_attn.${name}_norm.weight`, headSize, 1);
    }
    draw(`${layer}.self_attn.o_proj.weight`, d * shape.heads * headSize);
    draw(`${layer}.input_layernorm.weight`, d, 1);
    draw(`${layer}.post_attention_layernorm.weight`, d, 1);
    draw(`${layer}.mlp.gate_proj.weight`, f * d);
    draw(`${layer}.mlp.up_proj.weight`, f * d);
    draw(`${layer}.mlp.down_proj.weight`, d * f);
  }
  draw("model.norm.weight", d, 1);
  if (!shape.tieEmbeddings) draw("lm_head.weight", V * d);
  return weights;
}

const tokens_N = [1, 4, 2, 2, 6, 0, 3, 5];
const offsets_S1 = [0, 3, 4, 8];

describe("runReferenceTransformer()", () => {
  it.each(variants)("has finite differences as gradients when the model is a %s", (_, shape) => {
    const weights = randomWeights(shape);
    const random = new Random(deriveKey(12));
    const [a_N, b_N] = [tokens_N.map(() => random.normal()), tokens_N.map(() => random.normal())];
    const lossWith = (changed: Map<string, Float64Array>) => {
      const input = { shape, weights: changed, tokens_N, offsets_S1, temperature: 0.7 };
      const { logprobs_N, entropies_N } = runReferenceTransformer(input);
      return logprobs_N.reduce((sum, logprob, n) => sum + a_N[n]! * logprob + b_N[n]! * entropies_N[n]!, 0);
    };
    const gradients = runReferenceTransformer({ shape, weights, tokens_N, offsets_S1, temperature: 0.7 }).backward(
      a_N,
      b_N,
    );
    expect([...gradients.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [name, values] of weights) {
      for (const i of new Set([0, values.length >> 1, values.length - 1, random.integer(0, values.length)])) {
        const moved = (by: number) =>
          new Map(weights).set(
            name,
            values.map((value, j) => (i === j ? value + by : value)),
          );
        const slope = (lossWith(moved(1e-5)) - lossWith(moved(-1e-5))) / 2e-5;
        expect(Math.abs(gradients.get(name)![i]! - slope), `${name}[${i}]`).toBeLessThan(
          1e-7 * Math.max(1, Math.abs(slope)),
        );
      }
    }
  });

  it("scores a sequence alike when others are packed beside it", () => {
    const weights = randomWeights(base);
    const packed = runReferenceTransformer({ shape: base, weights, tokens_N, offsets_S1, temperature: 1 });
    const alone = runReferenceTransformer({
      shape: base,
      weights,
      tokens_N: tokens_N.slice(4),
      offsets_S1: [0, 4],
      temperature: 1,
    });
    expect(packed.logprobs_N.slice(4)).toEqual(alone.logprobs_N);
    expect(packed.entropies_N.slice(4)).toEqual(alone.entropies_N);
    for (const start of offsets_S1.slice(0, -1)) expect(packed.logprobs_N[start]).toBe(0);
  });

  it("leaves the loss as it is when a token after the last one with loss changes", () => {
    const weights = randomWeights(base);
    const logprobsOf = (tokens: number[]) =>
      runReferenceTransformer({ shape: base, weights, tokens_N: tokens, offsets_S1: [0, 5], temperature: 1 })
        .logprobs_N;
    expect(logprobsOf([1, 2, 3, 4, 5]).slice(0, 4)).toEqual(logprobsOf([1, 2, 3, 4, 0]).slice(0, 4));
  });

  it("throws TENSOR_MISSING and LENGTH_MISMATCH when weights do not fit the shape", () => {
    const run = (weights: Map<string, Float64Array>) => () =>
      runReferenceTransformer({ shape: base, weights, tokens_N, offsets_S1, temperature: 1 });
    const missing = randomWeights(base);
    missing.delete("model.norm.weight");
    expect(run(missing)).toThrow(expect.objectContaining({ code: "TENSOR_MISSING" }));
    const short = randomWeights(base).set("model.norm.weight", new Float64Array(5));
    expect(run(short)).toThrow(expect.objectContaining({ code: "LENGTH_MISMATCH" }));
  });
});

describe.skipIf(!existsSync(REFERENCE_STATES))("runReferenceTransformer() against PyTorch", () => {
  it.each(REFERENCE_MODELS)("agrees in float64 when the checkpoint is %s", (model) => {
    const shape = readModelShape(join(REFERENCE_STATES, model));
    const weights = readTensors(join(REFERENCE_STATES, model, "model.safetensors"));
    const reference = readTensors(join(REFERENCE_STATES, model, "reference.safetensors"));
    const get = (name: string) => reference.get(name)!;
    const tokens = get("input_ids");
    const offsets = get("cu_seqlens");
    const pass = runReferenceTransformer({ shape, weights, tokens_N: tokens, offsets_S1: offsets, temperature: 1 });
    expectAgreement(pass.logits_NV, get("logits"));

    // The file lists predictions, row by row; here every array speaks of the token that is predicted.
    const starts = new Set(offsets);
    const predicted = Array.from(tokens.keys()).filter((n) => !starts.has(n));
    const atTokens = (values: ArrayLike<number>) => {
      const array = new Array<number>(tokens.length).fill(0);
      predicted.forEach((n, i) => (array[n] = values[i]!));
      return array;
    };
    expectAgreement(
      predicted.map((n) => pass.logprobs_N[n]!),
      get("logprobs"),
    );
    expectAgreement(
      predicted.map((n) => pass.entropies_N[n]!),
      predicted.map((n) => get("entropy")[n - 1]!),
    );

    const mask = get("mask");
    const weights_N = atTokens(mask.map((m) => m / mask.reduce((a, b) => a + b)));
    const lengths = Array.from(offsets)
      .slice(1)
      .map((end, s) => end - offsets[s]!);
    const { loss, metrics, dLogprobs_N, dEntropies_N } = policyLoss({
      spec: { ...DAPO, nextTokenCoefficient: 0.1 },
      batch: batchOf(lengths, {
        weights_N,
        advantages_N: atTokens(get("advantages")),
        behaviourLogprobs_N: atTokens(get("old_logprobs")),
        nextTokenWeights_N: weights_N,
      }),
      logprobs_N: Float32Array.from(pass.logprobs_N),
      entropies_N: Float32Array.from(pass.entropies_N),
    });
    expectAgreement([loss], get("loss"));
    expectAgreement([metrics["loss/policy"]!], get("loss_pg"));
    expectAgreement([metrics["loss/next_token"]! / 0.1], get("loss_ntp"));
    expect(metrics["clip/low"]! * metrics["clip/high"]!).toBeGreaterThan(0);

    const gradients = pass.backward(dLogprobs_N, dEntropies_N);
    for (const [name, gradient] of gradients) expectAgreement(gradient, get(`grad.${name}`));
  });
});
