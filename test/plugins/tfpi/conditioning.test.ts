import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ModelShape } from "../../../core/src/engines/policy-engine.js";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { loadPlugin } from "../../../core/src/hooks/plugin-loader.js";
import { packTrajectories } from "../../../core/src/learn/pack.js";
import { sampleMetrics } from "../../../core/src/learn/step-metrics.js";
import { policyLoss } from "../../../core/src/numerics/policy-loss.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { runReferenceTransformer } from "../../../core/src/numerics/reference-transformer.js";
import { ORIGIN, type Trajectory } from "../../../core/src/records/trajectory.js";
import { formatPrompt } from "../../../core/src/rollout/format-prompt.js";
import { samplingOf } from "../../../core/src/run-plan.js";
import { DAPO } from "../../core/numerics/loss-fixtures.js";
import { makeTrajectory, PLAN } from "../hook-contexts.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const tokenizer = Tokenizer.fromDirectory(`${ROOT}/examples/policies/tiny`);

const SHAPE: ModelShape = {
  vocabSize: tokenizer.vocabSize,
  hiddenSize: 4,
  layers: 1,
  heads: 2,
  kvHeads: 1,
  headSize: 2,
  intermediateSize: 4,
  maxPositions: 64,
  ropeTheta: 100,
  rmsNormEpsilon: 1e-5,
  tieEmbeddings: true,
  qkNorm: false,
  qkvBias: false,
};

const random = new Random(deriveKey(3, "weights"));
const WEIGHTS = new Map(
  Object.entries({
    "model.embed_tokens.weight": SHAPE.vocabSize * 4,
    "model.layers.0.self_attn.q_proj.weight": 4 * 4,
    "model.layers.0.self_attn.k_proj.weight": 2 * 4,
    "model.layers.0.self_attn.v_proj.weight": 2 * 4,
    "model.layers.0.self_attn.o_proj.weight": 4 * 4,
    "model.layers.0.input_layernorm.weight": 4,
    "model.layers.0.post_attention_layernorm.weight": 4,
    "model.layers.0.mlp.gate_proj.weight": 4 * 4,
    "model.layers.0.mlp.up_proj.weight": 4 * 4,
    "model.layers.0.mlp.down_proj.weight": 4 * 4,
    "model.norm.weight": 4,
  }).map(([name, size]) => [name, Float64Array.from({ length: size }, () => random.normal())] as const),
);

/** Logprob of every token given those before it. */
function logprobsOf(tokens_N: Int32Array): Float32Array {
  const input = { shape: SHAPE, weights: WEIGHTS, tokens_N, offsets_S1: [0, tokens_N.length], temperature: 1 };
  return Float32Array.from(runReferenceTransformer(input).logprobs_N);
}

/** A prompt as tfpi's training gives it to the engine, or as it is without the plugin. */
async function format(problem: string, maxTokens: number, maxPositions: number, plugins: readonly string[]) {
  const loaded = await Promise.all(plugins.map((name) => loadPlugin(name, {}, ROOT)));
  const task = {
    id: "t",
    domain: "arithmetic",
    prompt: [{ role: "user" as const, content: problem }],
    reference: "7",
    meta: {},
  };
  const plan = { ...PLAN, parameters: { tfpi: { thinkFree: true } } };
  const sampling = samplingOf({ ...PLAN, maxTokens });
  const context = () => ({
    plan,
    phase: "train",
    mode: "default",
    slot: 0,
    countTokens: (text: string) => tokenizer.encode(text).length,
  });
  const call = { seed: 1, step: 1, about: "t", context };
  return formatPrompt(tokenizer, loaded, task, sampling, maxPositions, "train", call);
}

/** A rollout of a fixed response after a prompt, with the logprobs of the policy that saw both. */
function trajectoryOf(prompt: Int32Array, response: Int32Array): Trajectory {
  const tokens = Int32Array.of(...prompt, ...response);
  return {
    ...makeTrajectory("t", "t", 0, {}),
    tokens,
    origins: Uint8Array.from(tokens, (_, t) => (t < prompt.length ? ORIGIN.prompt : ORIGIN.sampled)),
    logprobs: logprobsOf(tokens).map((logprob, t) => (t < prompt.length ? 0 : logprob)),
    turns: [
      { role: "prompt", start: 0, end: prompt.length },
      { role: "policy", start: prompt.length, end: tokens.length },
    ],
  };
}

describe("a thinking-free rollout", () => {
  it("has loss on its response alone when it is packed: 14 prompt tokens weigh 0, 3 response tokens the same", () => {
    const trajectory = trajectoryOf(
      Int32Array.from({ length: 14 }, (_, t) => 65 + t),
      Int32Array.of(51, 43, 52),
    );
    const batch = packTrajectories([{ trajectory, advantage: 1 }], DAPO);
    expect([...batch.weights_N].map((weight) => (weight === 0 ? 0 : 1))).toEqual([
      ...Array.from({ length: 14 }, () => 0),
      1,
      1,
      1,
    ]);
    const logprobs_N = logprobsOf(trajectory.tokens);
    const entropies_N = new Float32Array(17);
    const before = policyLoss({ spec: DAPO, batch, logprobs_N, entropies_N });
    expect([...before.dLogprobs_N.subarray(0, 14)]).toEqual(Array.from({ length: 14 }, () => 0));
    const changed = logprobs_N.map((logprob, t) => (t >= 10 && t < 14 ? logprob - 1 : logprob));
    expect(policyLoss({ spec: DAPO, batch, logprobs_N: changed, entropies_N }).loss).toBe(before.loss);
  });

  it("has ratios of 1 when the learner sees the same prompt, and a visible mismatch when it sees the thinking prompt", async () => {
    const closed = await format("3+4 mod 10", 8, 64, ["tfpi"]);
    const open = await format("3+4 mod 10", 8, 64, []);
    const response = tokenizer.encode("3+4=7 \\boxed{7}<|im_end|>");
    const trajectory = trajectoryOf(closed.tokens, response);
    const batch = packTrajectories([{ trajectory, advantage: 1 }], DAPO);
    const entropies_N = new Float32Array(trajectory.tokens.length);
    const same = policyLoss({ spec: DAPO, batch, logprobs_N: logprobsOf(trajectory.tokens), entropies_N });
    expect(same.metrics["ratio/max"]).toBe(1);
    expect(same.metrics["mismatch/max"]).toBe(0);
    const wrong = logprobsOf(Int32Array.of(...open.tokens, ...response)).subarray(open.tokens.length);
    const logprobs_N = Float32Array.of(...new Float32Array(closed.tokens.length), ...wrong);
    expect(policyLoss({ spec: DAPO, batch, logprobs_N, entropies_N }).metrics["mismatch/max"]).toBeGreaterThan(1e-5);
  });

  it("may have as many tokens as the cap says when its prompt is long", async () => {
    const { tokens, sampling } = await format("7".repeat(3000), 4096, 8192, ["tfpi"]);
    expect(tokens.length).toBeGreaterThan(3000);
    expect(sampling.maxTokens).toBe(4096);
  });

  it("counts as truncated apart from any clipping when 410 of 2048 are cut", () => {
    const verdict = { kind: "fail" as const, score: 0, reason: "test", verifier: "test", version: "1", ms: 0 };
    const samples = Array.from({ length: 2048 }, (_, i) => ({
      trajectory: {
        ...makeTrajectory(String(i), "t", 0, {}),
        stopReason: i < 410 ? ("length" as const) : ("stop" as const),
      },
      verdict,
    }));
    const metrics = sampleMetrics(samples);
    expect(metrics["len/truncated"]).toBeCloseTo(0.2002, 4);
    expect(Object.keys(metrics).filter((name) => name.includes("clip"))).toEqual([]);
  });
});
