import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { EngineOptions, ModelShape, Scores } from "../../core/src/engines/policy-engine.js";
import type { NativeEngine } from "../../gpu/src/native-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { packCompletions } from "./describe-native-engine.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, STEP } from "./engine-fixtures.js";
import { relativeDistance, relativeGap } from "./relative-gap.js";

const NAMED = "TROUPE_NCCL";
const STAND_IN = "TROUPE_EMULATED_NCCL";

const sameFile = (left: string, right: string, name: string): boolean =>
  readFileSync(join(left, name)).equals(readFileSync(join(right, name)));

/** What several GPUs of one engine promise, where NCCL, or what stands for it, and so many GPUs are found. */
export function describeCudaRanks(even: ModelShape, make: (options: EngineOptions) => Promise<NativeEngine>): void {
  describe("with several GPUs", () => {
    const lora = { rank: 3, alpha: 6, targets: ["q_proj", "o_proj", "down_proj"] };
    /** Cut alike for any number of GPUs up to 3. */
    const training = { microBatchTokens: 20 };
    const batchOf = (seed: number) => randomBatch(even, [20, 5, 1, 13, 0, 17, 9], seed);

    // Before the library is opened, which happens once a process.
    it("throws INPUT_NOT_VALID naming the file when gpus is 2 and NCCL is not there", async () => {
      const before = process.env[NAMED];
      process.env[NAMED] = "/nowhere/libnccl.so.2";
      const problem = await make({ shape: even, seed: 1, device: "cuda", gpus: 2 }).then(() => undefined, String);
      if (before === undefined) delete process.env[NAMED];
      else process.env[NAMED] = before;
      expect(problem).toMatch(/looked for \/nowhere\/libnccl\.so\.2 .*leave gpus 1|this machine shows 1 /);
    });

    it("throws INPUT_NOT_VALID when gpus are wanted that are not there", async () => {
      await expect(make({ shape: even, seed: 1, device: "cuda", gpus: 99 })).rejects.toMatchObject({
        code: "INPUT_NOT_VALID",
        message: expect.stringMatching(/gpus is 99, and this machine shows \d+ to this process/),
      });
      await expect(make({ shape: even, seed: 1, gpus: 2 })).rejects.toMatchObject({
        code: "INPUT_NOT_VALID",
        message: expect.stringContaining('gpus is 2, and device is "cpu": give device "cuda", or leave gpus 1'),
      });
      await expect(make({ shape: even, seed: 1, device: "cuda", gpus: 1.5 })).rejects.toThrow("gpus is 1.5");
    });

    /** False, with a line, where the machine has fewer GPUs or no NCCL. */
    async function hasGpus(gpus: number): Promise<boolean> {
      if (process.env[NAMED] !== undefined) return true;
      const problem = await make({ shape: even, seed: 1, device: "cuda", gpus }).then(() => undefined, String);
      if (problem !== undefined) console.log(`Several GPUs are not tested. ${problem}`);
      return problem === undefined;
    }
    async function train(engine: NativeEngine, seed: number) {
      const metrics = await engine.forwardBackward(batchOf(seed), EVERY_TERM);
      const gradients = await engine.gradients();
      const { gradNorm } = await engine.optimStep(STEP);
      return { metrics, gradients, gradNorm };
    }
    /** Two steps, and what was trained. */
    async function twoSteps(options: Partial<EngineOptions>) {
      const engine = await make({ shape: even, seed: 5, device: "cuda", training, ...options });
      const [first, second] = [await train(engine, 0), await train(engine, 1)];
      return { first, second, trained: options.lora ? await engine.adapter() : await engine.weights() };
    }

    it.each<[string, number, Partial<EngineOptions>]>([
      ["fp32", 2, {}],
      // All weights are in the first GPU's range.
      ["fp32, with ranges that are empty", 2, { shape: { ...ODD_QWEN3, layers: 1, vocabSize: even.vocabSize } }],
      ["bf16", 3, { dtype: "bf16" }],
      ["fp32 with an adapter", 2, { lora }],
      ["bf16 in the fast mode", 3, { dtype: "bf16", invariant: false }],
    ])(
      "agrees with one GPU within 1e-6 in every gradient, and with itself to the bit, in %s",
      async (_, gpus, fields) => {
        if (!(await hasGpus(gpus))) return;
        const [one, several] = [await twoSteps(fields), await twoSteps({ ...fields, gpus })];
        expect(several.first.metrics).toEqual(one.first.metrics);
        expect(Math.abs(several.first.gradNorm / one.first.gradNorm - 1)).toBeLessThan(1e-6);
        for (const [name, values] of one.first.gradients)
          expect(relativeGap(several.first.gradients.get(name) ?? [], values), name).toBeLessThan(1e-6);
        // The first update is the gradient's sign where it is not tiny: rounding decides a few.
        for (const [name, values] of one.trained)
          expect(relativeDistance(several.trained.get(name) ?? values, values), name).toBeLessThan(1e-3);
        expect(await twoSteps({ ...fields, gpus })).toEqual(several);
      },
    );

    it("samples on several GPUs what one samples, and the logprobs that any of them gives", async () => {
      if (!(await hasGpus(3))) return;
      const options = { shape: even, seed: 6, device: "cuda", dtype: "bf16", training } as const;
      const [one, several] = [await make(options), await make({ ...options, gpus: 3 })];
      // Groups of three with one prompt.
      const requests = Array.from({ length: 21 }, (_, i) =>
        requestOf(i, {
          promptTokens: Int32Array.of(1 + Math.floor(i / 3), 5, 9),
          maxTokens: 2 + (i % 9),
          stopTokens: [i % 37],
        }),
      );
      expect(await several.generate(requests)).toEqual(await one.generate(requests));
      expect(several.cache()).toMatchObject({ blocks: 3 * one.cache().blocks, lent: 0 });
      await train(several, 0);
      await several.publish();
      const { recorded, tokens_N, offsets_S1 } = packCompletions(requests, await several.generate(requests));
      const scores: Scores[] = [];
      for (let gpu = 0; gpu < 3; gpu++) scores.push(await several.score(tokens_N, offsets_S1, 1));
      expect(new Set(scores.map(({ logprobs_N }) => logprobs_N.join())).size).toBe(1);
      expect(recorded.length).toBeGreaterThan(60);
      expect(recorded.filter(({ place, logprob }) => scores[0]?.logprobs_N[place] !== logprob)).toEqual([]);
    });

    it.each([
      ["all weights", undefined],
      ["an adapter", lora],
    ])(
      "saves with one number of GPUs what another goes on from, optimizer included, when it trains %s",
      async (_, adapter) => {
        if (!(await hasGpus(3))) return;
        const options = { shape: even, seed: 5, device: "cuda", training, ...(adapter && { lora: adapter }) } as const;
        const before = await make({ ...options, gpus: 2 });
        await train(before, 0);
        const [whole, folder, merged] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
        const [again, mergedAgain] = [temporaryFolder(), temporaryFolder()];
        await (await make({ shape: even, seed: 5 })).save(whole);
        await before.save(folder, { optimizer: true });
        await before.save(merged, { merged: true });
        const expected = await train(before, 1);
        for (const gpus of [1, 2, 3]) {
          const after = await make({ ...options, seed: 9, gpus });
          // A folder of an adapter has not what lies beneath.
          await after.load(whole);
          await after.load(folder, { optimizer: true });
          await after.save(again, { optimizer: true });
          await after.save(mergedAgain, { merged: true });
          for (const name of [adapter ? "adapter_model.safetensors" : "model.safetensors", "optimizer.safetensors"])
            expect(sameFile(again, folder, name), name).toBe(true);
          expect(sameFile(mergedAgain, merged, "model.safetensors")).toBe(true);
          const actual = await train(after, 1);
          if (gpus === 2) expect(actual).toEqual(expected);
          for (const [name, values] of expected.gradients)
            expect(relativeGap(actual.gradients.get(name) ?? [], values), name).toBeLessThan(1e-6);
        }
      },
    );

    it("throws what one GPU's part of a batch is refused for, and goes on", async () => {
      if (!(await hasGpus(2))) return;
      const engine = await make({ shape: even, seed: 5, device: "cuda", training, gpus: 2 });
      const bad = batchOf(0);
      bad.tokens_N[bad.tokens_N.length - 3] = even.vocabSize;
      await expect(engine.forwardBackward(bad, EVERY_TERM)).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });
      expect((await train(engine, 1)).gradNorm).toBeGreaterThan(0);
    });

    it.each([
      ["NCCL refuses a call", "refused", "ncclGroupEnd of 2 GPUs failed: unhandled system error"],
      ["a GPU is lost under way", "lost", "ncclCommGetAsyncError of 2 GPUs failed: remote process exited"],
    ])("throws DEVICE_LOST, at once and from then on, when %s", async (_, how, text) => {
      // Only the stand-in can be told to fail.
      if (process.env[NAMED] === undefined) return;
      const engine = await make({ shape: even, seed: 5, device: "cuda", training, gpus: 2 });
      await engine.forwardBackward(batchOf(0), EVERY_TERM);
      process.env[STAND_IN] = how;
      const lost = { code: "DEVICE_LOST", message: expect.stringContaining(text) };
      await expect(engine.optimStep(STEP)).rejects.toMatchObject(lost);
      delete process.env[STAND_IN];
      await expect(engine.optimStep(STEP)).rejects.toMatchObject(lost);
      // Samplers go on with what was published.
      expect(await engine.generate([requestOf(1, { maxTokens: 3 })])).toHaveLength(1);
    });
  });
}
