import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Device } from "../../core/src/engines/policy-engine.js";
import { readModelShape } from "../../core/src/engines/model-shape.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { readTensors, REFERENCE_MODELS, REFERENCE_STATES } from "../core/numerics/reference-states.js";
import { relativeGap } from "./relative-gap.js";
import { EVERY_TERM } from "./engine-fixtures.js";

/** Compares the engine, with the kernels in use, with what PyTorch computed in float64 for four published architectures. */
export function describeReferenceStates(device: Device = "cpu"): void {
  describe.skipIf(!existsSync(REFERENCE_STATES)).each(REFERENCE_MODELS)("NativeEngine against PyTorch: %s", (model) => {
    const directory = join(REFERENCE_STATES, model);
    const open = async () => {
      const engine = await NativeEngine.create({ shape: readModelShape(directory), seed: 0, device });
      await engine.load(directory);
      await engine.publish();
      return engine;
    };
    const reference = existsSync(directory) ? readTensors(join(directory, "reference.safetensors")) : new Map();
    const get = (name: string): Float64Array => reference.get(name) ?? new Float64Array();
    const tokens_N = Int32Array.from(get("input_ids"));
    const offsets_S1 = Int32Array.from(get("cu_seqlens"));
    // The file leaves out each sequence's first token, which nothing predicts.
    const places = [...tokens_N.keys()].filter((n) => !offsets_S1.includes(n));
    const spread = (name: string, scale = 1) => {
      const values_N = new Float32Array(tokens_N.length);
      places.forEach((n, i) => (values_N[n] = scale * (get(name)[i] ?? 0)));
      return values_N;
    };

    // A hundred thousand rows are too many for emulated kernels.
    it.skipIf(device === "cuda")(
      "scores every possible next token within 1e-5, so all logits agree but for a constant",
      async () => {
        const engine = await open();
        const V = engine.shape.vocabSize;
        for (let s = 0; s + 1 < offsets_S1.length; s++) {
          const [start = 0, end = 0] = offsets_S1.subarray(s, s + 2);
          for (let row = start; row < Math.min(end, start + engine.shape.maxPositions - 1); row++) {
            const prefix = tokens_N.subarray(start, row + 1);
            const length = prefix.length + 1;
            const asked = Int32Array.from(
              { length: V * length },
              (_, i) => prefix[i % length] ?? Math.floor(i / length),
            );
            const { logprobs_N } = await engine.score(
              asked,
              Int32Array.from({ length: V + 1 }, (_, v) => v * length),
              1,
            );
            const found = Array.from({ length: V }, (_, v) => logprobs_N[v * length + length - 1] ?? NaN);
            const logits = get("logits").subarray(row * V, (row + 1) * V);
            const sum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
            expect(
              relativeGap(
                found,
                logits.map((logit) => logit - sum),
              ),
              `row ${row}`,
            ).toBeLessThan(1e-5);
          }
        }
        engine.dispose();
      },
    );

    it("agrees within 1e-5 on logprobs, entropies, loss, every gradient and one update", async () => {
      const engine = await open();
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
      const policyLoss = metrics["loss/policy"] ?? NaN;
      const nextTokenLoss = (metrics["loss/next_token"] ?? NaN) / 0.1;
      // The policy term is a difference of large parts; the loss that is trained is what 1e-5 is asked of.
      expect(relativeGap([policyLoss + 0.1 * nextTokenLoss], get("loss"))).toBeLessThan(1e-5);
      expect(relativeGap([nextTokenLoss], get("loss_ntp"))).toBeLessThan(1e-5);
      expect(policyLoss).toBeCloseTo(get("loss_pg")[0] ?? NaN, 5);
      for (const [name, values] of await engine.gradients()) {
        expect(relativeGap(values, get(`grad.${name}`)), name).toBeLessThan(1e-5);
      }
      const step = {
        learningRate: 1e-3,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weightDecay: 0.1,
        maxGradNorm: 1,
        decayVectors: true,
      };
      const { gradNorm } = await engine.optimStep(step);
      expect(Math.abs(gradNorm / (get("grad_norm")[0] ?? NaN) - 1)).toBeLessThan(1e-5);
      for (const [name, values] of await engine.weights()) {
        // The first update is lr · g / (|g| + ε): where the clipped g is within some hundred ε of 0, float32's rounding
        // of the gradient decides it. Those few weights are left to the comparison with `adamwUpdate()`.
        const isDecided = get(`grad.${name}`).map((g) => Number(g === 0 || Math.abs(g) > 3e-6 * gradNorm));
        const decided = (all: ArrayLike<number>) => Array.from(all).filter((_, i) => isDecided[i]);
        expect(relativeGap(decided(values), decided(get(`after.${name}`))), name).toBeLessThan(1e-5);
        expect(decided(values).length, name).toBeGreaterThan(0.4 * values.length);
      }
      engine.dispose();
    });
  });
}
