import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runReferenceTransformer } from "../../core/src/numerics/reference-transformer.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { ODD_QWEN3, randomBatch } from "./engine-fixtures.js";

/** More ids than the vocabulary's blocks hold, so that the best come from several. */
const WIDE = { ...ODD_QWEN3, vocabSize: 5000 };
const TEMPERATURE = 0.7;

describe("NativeSampler.score() with topK", () => {
  const batch = randomBatch(WIDE, [3, 1, 70, 0, 12]);
  const [N, V] = [batch.tokens_N.length, WIDE.vocabSize];
  let engine: NativeEngine;
  beforeAll(async () => {
    engine = await NativeEngine.create({ shape: WIDE, seed: 3 });
  });
  afterAll(() => engine.dispose());

  it.each([1, 5, 64])("gives the %i most probable tokens of every place, best first", async (topK) => {
    const scores = await engine.score(batch.tokens_N, batch.offsets_S1, TEMPERATURE, { topK });
    const weights = new Map([...(await engine.weights())].map(([name, values]) => [name, Float64Array.from(values)]));
    const { logits_NV } = runReferenceTransformer({ shape: WIDE, weights, ...batch, temperature: TEMPERATURE });
    const firsts = new Set(batch.offsets_S1);
    for (let n = 0; n < N; n++) {
      const ids = scores.topIds_NK!.subarray(n * topK, (n + 1) * topK);
      const logprobs = scores.topLogprobs_NK!.subarray(n * topK, (n + 1) * topK);
      if (firsts.has(n)) {
        expect([...ids, ...logprobs]).toEqual([...ids.map(() => -1), ...logprobs.map(() => 0)]);
        continue;
      }
      const logits_V = logits_NV.subarray((n - 1) * V, n * V);
      const best = Array.from({ length: V }, (_, id) => id).sort((a, b) => logits_V[b]! - logits_V[a]!);
      const gap = (id: number, rank: number): number => Math.abs(logits_V[id]! - logits_V[best[rank]!]!);
      expect(Math.max(...Array.from(ids, gap))).toBeLessThan(1e-4);
      expect(new Set(ids).size).toBe(topK);
      expect([...logprobs]).toEqual([...logprobs].toSorted((a, b) => b - a));
      const own = ids.indexOf(batch.tokens_N[n]!);
      if (own >= 0) expect(logprobs[own]).toBe(scores.logprobs_N[n]);
    }
  });

  it("leaves logprobs and entropies as they are, and sums to one over the whole vocabulary", async () => {
    const plain = await engine.score(batch.tokens_N, batch.offsets_S1, TEMPERATURE);
    const all = await engine.score(batch.tokens_N, batch.offsets_S1, TEMPERATURE, { topK: V });
    expect(all).toMatchObject(plain);
    expect(plain).not.toHaveProperty("topIds_NK");
    const [place, token] = [40, batch.tokens_N[40]!];
    const ids = all.topIds_NK!.subarray(place * V, (place + 1) * V);
    const logprobs = all.topLogprobs_NK!.subarray(place * V, (place + 1) * V);
    expect(logprobs[ids.indexOf(token)]).toBe(plain.logprobs_N[place]);
    expect(logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 5);
    const entropy = logprobs.reduce((sum, logprob) => sum - Math.exp(logprob) * logprob, 0);
    expect(entropy).toBeCloseTo(plain.entropies_N[place]!, 3);
  });

  it.each([-1, 1.5, V + 1])("is an error when topK is %d", async (topK) => {
    const failure = engine.score(batch.tokens_N, batch.offsets_S1, TEMPERATURE, { topK });
    await expect(failure).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });
  });
});
