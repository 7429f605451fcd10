import { afterAll, describe, expect, it } from "vitest";
import type { ComputeType, EngineOptions, ModelShape } from "../../core/src/engines/policy-engine.js";
import { activationBytes, microBatchTokens } from "../../gpu/src/micro-batches.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { describeCudaAdapters } from "./describe-cuda-adapters.js";
import { describeCudaFastMode } from "./describe-cuda-fast-mode.js";
import { describeCudaRanks } from "./describe-cuda-ranks.js";
import { packCompletions } from "./describe-native-engine.js";
import { describeReferenceStates } from "./describe-reference-states.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, SHAPES, STEP } from "./engine-fixtures.js";
import { relativeDistance, relativeGap } from "./relative-gap.js";

/** Sizes that tensor cores and 16-byte copies take as they are. */
const EVEN_QWEN3: ModelShape = {
  ...ODD_QWEN3,
  hiddenSize: 48,
  heads: 4,
  headSize: 16,
  intermediateSize: 64,
  vocabSize: 136,
};
const LENGTHS = [3, 1, 45, 2, 0, 80, 33];

/** What the engine promises on CUDA kernels, emulated or on a GPU, beside the CPU engine of the same run. */
export function describeCudaEngine(where: string, canRun = true): void {
  // Emulated threads are slow on a machine that others use too.
  describe.skipIf(!canRun)(`NativeEngine on ${where}`, () => {
    const engines: NativeEngine[] = [];
    const make = async (options: EngineOptions) => {
      const engine = await NativeEngine.create(options);
      engines.push(engine);
      return engine;
    };
    afterAll(() => engines.forEach((engine) => engine.dispose()));

    /** Scores, gradients, norm and weights of one step. */
    async function oneStep(options: EngineOptions) {
      const engine = await make(options);
      const batch = randomBatch(options.shape, LENGTHS);
      const { logprobs_N, entropies_N } = await engine.score(batch.tokens_N, batch.offsets_S1, EVERY_TERM.temperature);
      await engine.forwardBackward(batch, EVERY_TERM);
      const gradients = await engine.gradients();
      const { gradNorm } = await engine.optimStep(STEP);
      return { logprobs_N, entropies_N, gradients, gradNorm, weights: await engine.weights() };
    }

    it.each([...SHAPES.slice(0, 3), ["Qwen3 of even sizes", EVEN_QWEN3] as const])(
      "agrees with the CPU's kernels within 1e-5 in a step when the model is a %s",
      async (_, shape) => {
        const [actual, expected] = [
          await oneStep({ shape, seed: 5, device: "cuda" }),
          await oneStep({ shape, seed: 5 }),
        ];
        expect(relativeGap(actual.logprobs_N, expected.logprobs_N)).toBeLessThan(1e-5);
        expect(relativeGap(actual.entropies_N, expected.entropies_N)).toBeLessThan(1e-5);
        expect(Math.abs(actual.gradNorm / expected.gradNorm - 1)).toBeLessThan(1e-5);
        for (const [name, values] of expected.gradients)
          expect(relativeGap(actual.gradients.get(name) ?? [], values), name).toBeLessThan(1e-5);
        // The first update is the gradient's sign where it is not tiny: rounding decides a few.
        for (const [name, values] of expected.weights)
          expect(relativeDistance(actual.weights.get(name) ?? values, values), name).toBeLessThan(1e-3);
      },
    );

    it.each([ODD_QWEN3, EVEN_QWEN3])("agrees with fp32 within 2e-2 when it computes in bf16", async (shape) => {
      const actual = await oneStep({ shape, seed: 5, device: "cuda", dtype: "bf16" });
      const expected = await oneStep({ shape, seed: 5 });
      expect(relativeDistance(actual.logprobs_N, expected.logprobs_N)).toBeLessThan(2e-2);
      // Attention rounds its weights and their slopes to 8 bits as well. Terms of a query norm's gradient nearly cancel.
      for (const [name, values] of expected.gradients)
        expect(relativeDistance(actual.gradients.get(name) ?? values, values), name).toBeLessThan(4e-2);
    });

    it("takes micro-batches by what the GPU has left, unless it is told", async () => {
      const shape = ODD_QWEN3;
      const told = await make({ shape, seed: 5, device: "cuda", training: { microBatchTokens: 7 } });
      expect(told.microBatchTokens).toBe(7);
      // The cache's bound, half of what is left, does not count when it is the user's own.
      const options = { shape, seed: 5, device: "cuda" } as const;
      const [free, bounded] = [await make(options), await make({ ...options, cacheBytes: 1 << 20 })];
      expect(free.microBatchTokens).toBe(microBatchTokens({ shape }, activationBytes(free.cache(), 1)));
      expect(bounded.microBatchTokens).toBe(free.microBatchTokens);
    });

    it("gives the same bits whatever it computes again, and in whatever order threads and warps run", async () => {
      const options = { shape: { ...EVEN_QWEN3, layers: 1 }, seed: 4, device: "cuda", dtype: "bf16" } as const;
      const plain = await oneStep(options);
      for (const recompute of ["feed-forward", "layers"] as const)
        expect(await oneStep({ ...options, training: { recompute } })).toEqual(plain);
      // On a GPU the order is as it comes, and a second run as good as another order.
      process.env["TROUPE_EMULATED_ORDER"] = "reversed";
      try {
        expect(await oneStep(options)).toEqual(plain);
      } finally {
        delete process.env["TROUPE_EMULATED_ORDER"];
      }
    });

    it.each(["fp32", "bf16"] satisfies ComputeType[])(
      "records while sampling in %s the logprobs that training computes, bit for bit",
      async (dtype) => {
        const engine = await make({ shape: dtype === "fp32" ? ODD_QWEN3 : EVEN_QWEN3, seed: 6, device: "cuda", dtype });
        const requests = Array.from({ length: 40 }, (_, i) =>
          requestOf(i, {
            promptTokens: Int32Array.from({ length: 1 + ((i >> 1) % 45) }, (_unused, t) => ((i >> 1) + t) % 37),
            maxTokens: 3 + (i % 31),
            stopTokens: [i % 37],
            ...(i % 3 === 0 && { topP: 0.8 }),
            ...(i % 5 === 0 && { topK: 7, minP: 0.05 }),
            ...(i % 7 === 0 && { logitBias: [[4, 2] as const] }),
            ...(i % 4 === 0 && { forcedTokens: Int32Array.of(1, 2, 3) }),
          }),
        );
        const completions = await engine.generate(requests);
        const { tokens_N, offsets_S1, recorded } = packCompletions(requests, completions);
        const { logprobs_N, entropies_N } = await engine.score(tokens_N, offsets_S1, 1);
        expect(recorded.length).toBeGreaterThan(300);
        expect(recorded.filter((one) => logprobs_N[one.place] !== one.logprob)).toEqual([]);
        expect(recorded.filter((one) => entropies_N[one.place] !== one.entropy)).toEqual([]);
        for (const i of [0, 13, 39]) expect(await engine.generate(requests.slice(i, i + 1))).toEqual([completions[i]]);
        if (dtype === "bf16") return;
        // Chance is the same, and logits differ by rounding only.
        const onCpu = await make({ shape: ODD_QWEN3, seed: 6 });
        expect((await onCpu.generate(requests)).map(({ tokens }) => tokens)).toEqual(
          completions.map(({ tokens }) => tokens),
        );
      },
    );

    it("gives the same most probable tokens as the CPU", async () => {
      const shape = ODD_QWEN3;
      const batch = randomBatch(shape, LENGTHS);
      const options = { topK: 4 };
      const [actual, expected] = [
        await (await make({ shape, seed: 5, device: "cuda" })).score(batch.tokens_N, batch.offsets_S1, 1, options),
        await (await make({ shape, seed: 5 })).score(batch.tokens_N, batch.offsets_S1, 1, options),
      ];
      expect(actual.topIds_NK).toEqual(expected.topIds_NK);
      expect(relativeGap(actual.topLogprobs_NK ?? [], expected.topLogprobs_NK ?? [])).toBeLessThan(1e-5);
    });

    it("refuses what it lacks", async () => {
      await expect(make({ shape: ODD_QWEN3, seed: 1, device: "cuda", share: true })).rejects.toThrow(/do not share/);
      const shape = { ...ODD_QWEN3, headSize: 258 };
      await expect(make({ shape, seed: 1, device: "cuda" })).rejects.toThrow("headSize of at most 256: 258");
    });

    describeCudaAdapters(EVEN_QWEN3, make);
    describeCudaFastMode(EVEN_QWEN3, make);
    describeCudaRanks(EVEN_QWEN3, make);
    describeReferenceStates("cuda");
  });
}
