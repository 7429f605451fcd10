import { afterAll, describe, expect, it } from "vitest";
import type { ComputeType, EngineOptions, GenerateRequest, ModelShape } from "../../core/src/engines/policy-engine.js";
import { deriveKey, Random } from "../../core/src/numerics/random.js";
import { kernelSets } from "../../gpu/src/machine.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { packCompletions } from "./describe-native-engine.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, STEP } from "./engine-fixtures.js";

/** Room for prompts that pass in several chunks; ids beyond one block of the vocabulary. */
const SHAPE: ModelShape = { ...ODD_QWEN3, vocabSize: 2100, maxPositions: 420 };
const TEMPERATURE = 0.8;
/** The learner's metrics of a batch without advantages: it learns nothing. */
const NO_GRADIENT = { ...EVERY_TERM, temperature: TEMPERATURE, entropyCoefficient: 0, nextTokenCoefficient: 0 };
/** Compared tokens of one kernel set, over all types that it computes with. */
const TOKENS = { weights: 64_000, adapter: 36_000 };
/** Groups of one call: single ones, and more sequences than are decoded at once. */
const GROUPS = [1, 2, 40, 12];

/** Requests that join, share prompts, fill chunks, give way, are forced and injected: everything that may change rows. */
function mixedRequests(random: Random, groups: number): GenerateRequest[] {
  const draw = (limit: number): number => random.integer(0, limit);
  const some = (count: number): Int32Array => Int32Array.from({ length: count }, () => draw(SHAPE.vocabSize));
  return Array.from({ length: groups }, () => {
    const promptTokens = some(draw(6) === 0 ? 257 + draw(60) : 1 + draw(70));
    return Array.from({ length: 1 + draw(8) }, (_, slot): GenerateRequest => {
      const fields = [
        {},
        { forcedTokens: some(1 + draw(40)) },
        { budgetRules: [{ limit: draw(20), from: [], until: [1], inject: [5, 6, 7] }] },
        { topP: 0.9, topK: 50 },
      ];
      return {
        promptTokens,
        maxTokens: 20 + draw(80),
        temperature: TEMPERATURE,
        topP: 1,
        topK: 0,
        minP: 0,
        stopTokens: [draw(100)],
        seed: [draw(1 << 30), slot],
        ...fields[draw(fields.length)],
      };
    });
  }).flat();
}

/** Entries whose bits differ: as numbers 0 would equal -0, and no NaN itself. */
function differingBits(recorded: readonly number[], computed: readonly number[]): number {
  const [a, b] = [recorded, computed].map((values) => new Int32Array(Float32Array.from(values).buffer));
  return a!.reduce((sum, bits, i) => sum + (bits === b![i] ? 0 : 1), 0);
}

/** The sampler's logprobs are the learner's, whatever was sampled beside a token and however the cache held it. */
export function describeZeroMismatch(set: string, dtype: ComputeType): void {
  process.env["TROUPE_KERNELS"] = set;
  describe.skipIf(!kernelSets(dtype).includes(set))(`zero mismatch in ${dtype} with the ${set} kernels`, () => {
    const engines: NativeEngine[] = [];
    afterAll(() => engines.forEach((engine) => engine.dispose()));
    const make = async (options: Partial<EngineOptions>): Promise<NativeEngine> => {
      const engine = await NativeEngine.create({ shape: SHAPE, seed: 2, dtype, ...options });
      engines.push(engine);
      return engine;
    };

    const learn = async (engine: NativeEngine): Promise<number> => {
      await engine.forwardBackward(randomBatch(SHAPE, [60, 33]), EVERY_TERM);
      await engine.optimStep(STEP);
      return engine.publish();
    };

    const types = Math.max(1, (["fp32", "bf16"] as const).filter((type) => kernelSets(type).includes(set)).length);
    it.each<[number, string, Partial<EngineOptions>]>([
      [TOKENS.weights / types, "all weights", {}],
      [
        TOKENS.adapter / types,
        "an adapter",
        { lora: { rank: 3, alpha: 6, targets: ["q_proj", "up_proj", "down_proj"] } },
      ],
    ])("has no differing bit in %i tokens while it trains %s", async (tokens, _, options) => {
      // A bound that a few dozen sequences reach.
      const cacheBytes = 60 * (await make({})).cache().blockBytes;
      const sampling = await make({ ...options, cacheBytes });
      const learning = await make({ ...options, threads: 1 });
      const random = new Random(deriveKey(1, "zero mismatch"));
      let [compared, differing] = [0, 0];
      for (let round = 0; compared < tokens; round++) {
        const calls = Array.from({ length: 3 }, () => mixedRequests(random, GROUPS[round % GROUPS.length]!));
        const answers = calls.map((requests) => sampling.generate(requests));
        // Published while the calls run, by an engine of other threads than the one that lags behind it.
        const published = await learn(sampling);
        for (const [call, completions] of (await Promise.all(answers)).entries()) {
          expect(completions.every(({ version }) => version === published - 1)).toBe(true);
          const { recorded, ...packed } = packCompletions(calls[call]!, completions);
          const scores = await learning.score(packed.tokens_N, packed.offsets_S1, TEMPERATURE);
          const at = (values_N: Float32Array): number[] => recorded.map(({ place }) => values_N[place]!);
          differing += differingBits(
            recorded.map((one) => one.logprob),
            at(scores.logprobs_N),
          );
          differing += differingBits(
            recorded.map((one) => one.entropy),
            at(scores.entropies_N),
          );
          compared += recorded.length;
          if (completions.length > 20) continue;
          const none_N = new Float32Array(packed.tokens_N.length);
          const [behaviourLogprobs_N, weights_N] = [none_N.slice(), none_N.slice()];
          for (const { place, logprob } of recorded) {
            behaviourLogprobs_N[place] = logprob;
            weights_N[place] = 1;
          }
          const batch = { ...packed, weights_N, advantages_N: none_N, behaviourLogprobs_N };
          expect(await learning.forwardBackward(batch, NO_GRADIENT)).toMatchObject({
            "mismatch/max": 0,
            "ratio/max": 1,
          });
        }
        await learn(learning);
      }
      expect(differing).toBe(0);
      const cache = sampling.cache();
      expect(Math.min(cache.preemptions, cache.sharedTokens)).toBeGreaterThan(0);
    });
  });
}
