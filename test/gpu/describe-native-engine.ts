import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Completion, ComputeType, EngineOptions, GenerateRequest } from "../../core/src/engines/policy-engine.js";
import { policyLoss } from "../../core/src/numerics/policy-loss.js";
import { runReferenceTransformer } from "../../core/src/numerics/reference-transformer.js";
import { kernelSet, kernelSets } from "../../gpu/src/machine.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { describeReferenceStates } from "./describe-reference-states.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, SHAPES, STEP, WIDE_VOCABULARY } from "./engine-fixtures.js";
import { relativeGap } from "./relative-gap.js";

/** Euclidean length of the difference over that of the values. */
function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [gap, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    gap += ((actual[i] ?? NaN) - (expected[i] ?? 0)) ** 2;
    size += (expected[i] ?? 0) ** 2;
  }
  return Math.sqrt(size === 0 ? gap : gap / size);
}

/** Completions as one packed batch: prompts and responses, and for every response token what sampling recorded. */
export function packCompletions(requests: readonly GenerateRequest[], completions: readonly Completion[]) {
  const offsets = [0];
  const tokens: number[] = [];
  const recorded: { place: number; logprob: number; entropy: number }[] = [];
  completions.forEach((completion, i) => {
    tokens.push(...(requests[i]?.promptTokens ?? []));
    completion.tokens.forEach((token, t) => {
      recorded.push({
        place: tokens.length,
        logprob: completion.logprobs[t] ?? NaN,
        entropy: completion.entropies[t] ?? NaN,
      });
      tokens.push(token);
    });
    offsets.push(tokens.length);
  });
  return { tokens_N: Int32Array.from(tokens), offsets_S1: Int32Array.from(offsets), recorded };
}

/** How far results may lie from the float64 reference, and how that is measured. */
const TOLERANCE = { fp32: 1e-5, bf16: 2e-2 } as const;
const DISTANCE = { fp32: relativeGap, bf16: relativeDistance } as const;

/** What the engine promises with every kernel set; one test file, hence one process, per set. */
export function describeNativeEngine(set: string, dtype: ComputeType = "fp32"): void {
  process.env["TROUPE_KERNELS"] = set;
  const isAvailable = kernelSets(dtype).includes(set);
  const tolerance = TOLERANCE[dtype];
  const distance = DISTANCE[dtype];
  describe.skipIf(!isAvailable)(`NativeEngine in ${dtype} with the ${set} kernels`, () => {
    const engines: NativeEngine[] = [];
    const make = async (options: EngineOptions) => {
      const engine = await NativeEngine.create({ ...options, dtype });
      engines.push(engine);
      return engine;
    };
    beforeAll(() => expect(kernelSet(dtype)).toBe(dtype === "fp32" ? set : `${set}/${dtype}`));
    if (dtype === "fp32") describeReferenceStates();
    afterAll(() => engines.forEach((engine) => engine.dispose()));

    it.each([...SHAPES, ["Qwen3 with a wide vocabulary", WIDE_VOCABULARY] as const])(
      `agrees with the float64 reference within ${tolerance} when the model is a %s`,
      async (_, shape) => {
        const engine = await make({ shape, seed: 5 });
        const batch = randomBatch(shape, [3, 1, 45, 2, 0, 80, 33]);
        const weights = new Map(
          [...(await engine.weights())].map(([name, values]) => [name, Float64Array.from(values)]),
        );
        const reference = runReferenceTransformer({ shape, weights, ...batch, temperature: EVERY_TERM.temperature });
        const scores = await engine.score(batch.tokens_N, batch.offsets_S1, EVERY_TERM.temperature);
        expect(distance(scores.logprobs_N, reference.logprobs_N)).toBeLessThan(tolerance);
        expect(distance(scores.entropies_N, reference.entropies_N)).toBeLessThan(tolerance);

        const loss = policyLoss({ spec: EVERY_TERM, batch, ...scores });
        const gradients = reference.backward(loss.dLogprobs_N, loss.dEntropies_N);
        const metrics = await engine.forwardBackward(batch, EVERY_TERM);
        expect(metrics).toEqual(loss.metrics);
        for (const [name, values] of await engine.gradients()) {
          expect(distance(values, gradients.get(name) ?? []), name).toBeLessThan(tolerance);
        }
      },
    );

    it("has finite differences as gradients", async () => {
      const shape = ODD_QWEN3;
      const engine = await make({ shape, seed: 8 });
      const batch = randomBatch(shape, [40, 7]);
      const before = await engine.weights();
      const { dLogprobs_N, dEntropies_N } = policyLoss({
        spec: EVERY_TERM,
        batch,
        ...(await engine.score(batch.tokens_N, batch.offsets_S1, EVERY_TERM.temperature)),
      });
      await engine.forwardBackward(batch, EVERY_TERM);
      const gradients = await engine.gradients();
      // Along the gradient the loss's linear part rises by |gradient|² per unit.
      const squares = [...gradients.values()].reduce((sum, values) => values.reduce((s, x) => s + x * x, sum), 0);
      const lossAt = (by: number) => {
        const moved = new Map(
          [...before].map(([name, values]) => [
            name,
            Float64Array.from(values, (value, i) => value + by * (gradients.get(name)?.[i] ?? 0)),
          ]),
        );
        const pass = runReferenceTransformer({ shape, weights: moved, ...batch, temperature: EVERY_TERM.temperature });
        return pass.logprobs_N.reduce(
          (sum, logprob, n) =>
            sum + logprob * (dLogprobs_N[n] ?? 0) + (pass.entropies_N[n] ?? 0) * (dEntropies_N[n] ?? 0),
          0,
        );
      };
      const slope = (lossAt(1e-4) - lossAt(-1e-4)) / 2e-4;
      expect(Math.abs(slope / squares - 1)).toBeLessThan(10 * tolerance);
    });

    it.each([
      ["", ODD_QWEN3, 300],
      [" of a wide vocabulary", WIDE_VOCABULARY, 100],
    ] as const)(
      "records while sampling the logprobs%s that training computes, bit for bit",
      async (_, shape, count) => {
        const engine = await make({ shape, seed: 6 });
        const requests = Array.from({ length: count }, (_, i) =>
          requestOf(i, {
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
        expect(recorded.length).toBeGreaterThan(1500);
        expect(recorded.filter((one) => logprobs_N[one.place] !== one.logprob)).toEqual([]);
        expect(recorded.filter((one) => entropies_N[one.place] !== one.entropy)).toEqual([]);
        const zeros = new Float32Array(tokens_N.length);
        const behaviourLogprobs_N = zeros.slice();
        const weights_N = zeros.slice();
        for (const { place, logprob } of recorded) {
          behaviourLogprobs_N[place] = logprob;
          weights_N[place] = 1;
        }
        const batch = { tokens_N, offsets_S1, weights_N, advantages_N: zeros, behaviourLogprobs_N };
        const metrics = await engine.forwardBackward(batch, { ...EVERY_TERM, temperature: 1 });
        expect(metrics["mismatch/max"]).toBe(0);
        expect(metrics["ratio/max"]).toBe(1);
      },
    );

    it("samples the same completion alone, in any company and in any order", async () => {
      const engine = await make({ shape: ODD_QWEN3, seed: 6 });
      const requests = Array.from({ length: 40 }, (_, i) => requestOf(i, { stopTokens: [11] }));
      const together = await engine.generate(requests);
      const reversed = (await engine.generate(requests.toReversed())).toReversed();
      expect(reversed).toEqual(together);
      for (const i of [0, 13, 39]) expect(await engine.generate(requests.slice(i, i + 1))).toEqual([together[i]]);
    });

    it("samples from as many older versions as are kept, and refuses others by number", async () => {
      const engine = await make({ shape: ODD_QWEN3, seed: 8, olderVersions: 2 });
      const requests = Array.from({ length: 6 }, (_, i) => requestOf(i));
      const byVersion = [await engine.generate(requests)];
      for (let version = 1; version < 4; version++) {
        await engine.forwardBackward(randomBatch(ODD_QWEN3, [40, 9]), EVERY_TERM);
        await engine.optimStep(STEP);
        await engine.publish();
        byVersion.push(await engine.generate(requests));
      }
      for (const version of [3, 2, 1]) expect(await engine.generate(requests, { version })).toEqual(byVersion[version]);
      expect(byVersion[1]).not.toEqual(byVersion[2]);
      for (const version of [0, 4])
        await expect(engine.generate(requests, { version })).rejects.toMatchObject({
          code: "INPUT_NOT_VALID",
          message: `Cannot generate: version ${version} is not kept, and version 3 is live`,
        });
      // A number that is given again stands for the newer weights.
      await engine.forwardBackward(randomBatch(ODD_QWEN3, [40, 9]), EVERY_TERM);
      await engine.optimStep(STEP);
      await engine.publish(2);
      expect(await engine.generate(requests, { version: 2 })).toEqual(await engine.generate(requests));
      expect(await engine.generate(requests, { version: 3 })).toEqual(byVersion[3]);
    });

    it("gives the same bits with 1 thread and with all", async () => {
      const run = async (threads: number) => {
        const engine = await make({ shape: ODD_QWEN3, seed: 4, threads });
        const batch = randomBatch(ODD_QWEN3, [90, 3, 41, 1, 66, 20, 20, 120, 5]);
        const norms: number[] = [];
        for (let step = 0; step < 3; step++) {
          await engine.forwardBackward(batch, EVERY_TERM);
          norms.push((await engine.optimStep(STEP)).gradNorm);
        }
        await engine.publish();
        const completions = await engine.generate(Array.from({ length: 50 }, (_, i) => requestOf(i)));
        return { norms, completions, weights: await engine.weights() };
      };
      expect(await run(1)).toEqual(await run(64));
    });
  });
}
