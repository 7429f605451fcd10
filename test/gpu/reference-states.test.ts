import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { readShape, readTensors, REFERENCE_STATES } from "../core/numerics/reference-states.js";
import { relativeGap } from "./describe-native-engine.js";
import { EVERY_TERM } from "./engine-fixtures.js";

describe.skipIf(!existsSync(REFERENCE_STATES))("NativeEngine against PyTorch", () => {
  it.each(["tiny-llama", "tiny-qwen2", "tiny-qwen3"])("agrees within 1e-5 when the checkpoint is %s", async (model) => {
    const directory = join(REFERENCE_STATES, model);
    const engine = await NativeEngine.create({ shape: readShape(join(directory, "config.json")), seed: 0 });
    await engine.load(directory);
    await engine.publish();
    const reference = readTensors(join(directory, "reference.safetensors"));
    const get = (name: string) => reference.get(name) ?? new Float64Array();
    const tokens_N = Int32Array.from(get("input_ids"));
    const offsets_S1 = Int32Array.from(get("cu_seqlens"));
    // The file leaves out each sequence's first token, which nothing predicts.
    const places = [...tokens_N.keys()].filter((n) => !offsets_S1.includes(n));
    const spread = (name: string, scale = 1) => {
      const values_N = new Float32Array(tokens_N.length);
      places.forEach((n, i) => (values_N[n] = scale * (get(name)[i] ?? 0)));
      return values_N;
    };

    const scores = await engine.score(tokens_N, offsets_S1, 1);
    expect(relativeGap(scores.logprobs_N, spread("logprobs"))).toBeLessThan(1e-5);
    const entropies = places.map((n) => get("entropy")[n - 1] ?? 0);
    expect(
      relativeGap(
        places.map((n) => scores.entropies_N[n] ?? NaN),
        entropies,
      ),
    ).toBeLessThan(1e-5);

    const share = 1 / get("mask").reduce((sum, one) => sum + one, 0);
    const metrics = await engine.forwardBackward(
      {
        tokens_N,
        offsets_S1,
        weights_N: spread("mask", share),
        advantages_N: spread("advantages"),
        behaviourLogprobs_N: spread("old_logprobs"),
        nextTokenWeights_N: spread("mask", share),
      },
      { ...EVERY_TERM, temperature: 1, entropyCoefficient: 0, nextTokenCoefficient: 0.1 },
    );
    expect(metrics["loss/policy"]).toBeCloseTo(get("loss_pg")[0] ?? NaN, 5);
    expect((metrics["loss/next_token"] ?? NaN) / 0.1).toBeCloseTo(get("loss_ntp")[0] ?? NaN, 5);
    for (const [name, values] of await engine.gradients()) {
      expect(relativeGap(values, get(`grad.${name}`)), name).toBeLessThan(1e-5);
    }
    const step = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
    const { gradNorm } = await engine.optimStep(step);
    expect(Math.abs(gradNorm / (get("grad_norm")[0] ?? NaN) - 1)).toBeLessThan(1e-5);
    for (const [name, values] of await engine.weights()) {
      // The first update is lr · g / (|g| + ε): where the clipped g is within some hundred ε of 0, float32's rounding of
      // the gradient decides it. Those few weights are left to the comparison with `adamwUpdate()`.
      const isDecided = get(`grad.${name}`).map((g) => Number(g === 0 || Math.abs(g) > 3e-6 * gradNorm));
      const decided = (all: ArrayLike<number>) => Array.from(all).filter((_, i) => isDecided[i]);
      expect(relativeGap(decided(values), decided(get(`after.${name}`))), name).toBeLessThan(1e-5);
      expect(decided(values).length, name).toBeGreaterThan(0.4 * values.length);
    }
    engine.dispose();
  });
});
