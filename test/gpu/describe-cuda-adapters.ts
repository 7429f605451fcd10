import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { ComputeType, EngineOptions, ModelShape } from "../../core/src/engines/policy-engine.js";
import type { NativeEngine } from "../../gpu/src/native-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { packCompletions } from "./describe-native-engine.js";
import { EVERY_TERM, randomBatch, requestOf, SHAPES, STEP } from "./engine-fixtures.js";
import { relativeDistance, relativeGap } from "./relative-gap.js";

const LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const LENGTHS = [3, 1, 45, 0, 70];

/** Every linear of a model that unties its head. */
const loraOf = (shape: ModelShape) => ({
  rank: 3,
  alpha: 6,
  targets: shape.tieEmbeddings ? LINEARS : [...LINEARS, "lm_head"],
});

async function train(engine: NativeEngine, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await engine.forwardBackward(randomBatch(engine.shape, [20, 5], step), EVERY_TERM);
    await engine.optimStep(STEP);
  }
  await engine.publish();
}

/** What the engine promises of adapters on CUDA kernels, beside the CPU engine of the same run. */
export function describeCudaAdapters(even: ModelShape, make: (options: EngineOptions) => Promise<NativeEngine>): void {
  /** A folder with an adapter, and moments, that the CPU has trained. */
  async function trainedOnCpu(shape: ModelShape): Promise<{ folder: string; onCpu: NativeEngine }> {
    const onCpu = await make({ shape, seed: 3, lora: loraOf(shape) });
    await train(onCpu, 2);
    const folder = temporaryFolder();
    await onCpu.save(folder, { optimizer: true });
    return { folder, onCpu };
  }
  async function loaded(folder: string, options: EngineOptions): Promise<NativeEngine> {
    const engine = await make({ device: "cuda", lora: loraOf(options.shape), ...options });
    await engine.load(folder, { optimizer: true });
    await engine.publish();
    return engine;
  }
  /** Scores, gradients, norm and adapter of one step. */
  async function oneStep(engine: NativeEngine) {
    const batch = randomBatch(engine.shape, LENGTHS);
    const { logprobs_N } = await engine.score(batch.tokens_N, batch.offsets_S1, EVERY_TERM.temperature);
    await engine.forwardBackward(batch, EVERY_TERM);
    const gradients = await engine.gradients();
    const { gradNorm } = await engine.optimStep(STEP);
    return { logprobs_N, gradients, gradNorm, adapter: await engine.adapter() };
  }

  it.each(SHAPES)(
    "goes on with the CPU's adapter as the CPU does, within 1e-5, when the model is a %s",
    async (_, shape) => {
      const { folder, onCpu } = await trainedOnCpu(shape);
      const onGpu = await loaded(folder, { shape, seed: 3 });
      expect(await onGpu.adapter()).toEqual(await onCpu.adapter());
      const [actual, expected] = [await oneStep(onGpu), await oneStep(onCpu)];
      expect(relativeGap(actual.logprobs_N, expected.logprobs_N)).toBeLessThan(1e-5);
      expect(Math.abs(actual.gradNorm / expected.gradNorm - 1)).toBeLessThan(1e-5);
      expect([...actual.gradients.keys()]).toEqual([...expected.gradients.keys()]);
      for (const [name, values] of expected.gradients)
        expect(relativeGap(actual.gradients.get(name) ?? [], values), name).toBeLessThan(2e-5);
      for (const [name, values] of expected.adapter)
        expect(relativeDistance(actual.adapter.get(name) ?? values, values), name).toBeLessThan(1e-4);
      expect(await onGpu.weights()).toEqual(await onCpu.weights());
    },
  );

  it("agrees with fp32 within 2e-2 when it trains an adapter in bf16", async () => {
    const shape = { ...even, tieEmbeddings: false };
    const { folder, onCpu } = await trainedOnCpu(shape);
    const actual = await oneStep(await loaded(folder, { shape, seed: 3, dtype: "bf16" }));
    const expected = await oneStep(onCpu);
    expect(relativeDistance(actual.logprobs_N, expected.logprobs_N)).toBeLessThan(2e-2);
    for (const [name, values] of expected.gradients)
      expect(relativeDistance(actual.gradients.get(name) ?? values, values), name).toBeLessThan(3e-2);
  });

  it("saves an adapter and a merged policy as the CPU does, byte for byte", async () => {
    const { folder, onCpu } = await trainedOnCpu(even);
    const onGpu = await loaded(folder, { shape: even, seed: 3 });
    const [again, merged, expected] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    await onGpu.save(again, { optimizer: true });
    await onGpu.save(merged, { merged: true });
    await onCpu.save(expected, { merged: true });
    for (const name of ["adapter_model.safetensors", "adapter_config.json", "optimizer.safetensors"])
      expect(readFileSync(join(again, name)).equals(readFileSync(join(folder, name))), name).toBe(true);
    const weights = "model.safetensors";
    expect(readFileSync(join(merged, weights)).equals(readFileSync(join(expected, weights)))).toBe(true);
  });

  it("gives an adapter the same bits whatever it computes again and in whatever order threads run", async () => {
    const shape = { ...even, layers: 1, tieEmbeddings: false };
    const run = async (training: EngineOptions["training"] = {}) => {
      const engine = await make({ shape, seed: 3, device: "cuda", dtype: "bf16", lora: loraOf(shape), training });
      await train(engine, 2);
      return engine.adapter();
    };
    const kept = await run();
    expect(await run({ recompute: "layers" })).toEqual(kept);
    // On a GPU the order is as it comes, and a second run as good as another order.
    process.env["TROUPE_EMULATED_ORDER"] = "reversed";
    try {
      expect(await run()).toEqual(kept);
    } finally {
      delete process.env["TROUPE_EMULATED_ORDER"];
    }
  });

  it.each(["fp32", "bf16"] satisfies ComputeType[])(
    "records while sampling in %s with an adapter the logprobs that training computes, bit for bit",
    async (dtype) => {
      const shape = { ...even, tieEmbeddings: false };
      const engine = await make({ shape, seed: 6, device: "cuda", dtype, lora: loraOf(shape) });
      const batch = randomBatch(shape, LENGTHS);
      const score = () => engine.score(batch.tokens_N, batch.offsets_S1, 1);
      const bare = await score();
      await engine.keepReference();
      await train(engine, 2);
      expect(await score()).not.toEqual(bare);
      expect(await engine.scoreReference(batch.tokens_N, batch.offsets_S1, 1)).toEqual(bare);
      const requests = Array.from({ length: 20 }, (_, i) =>
        requestOf(i, { maxTokens: 3 + (i % 21), stopTokens: [i % 37], ...(i % 3 === 0 && { topP: 0.8 }) }),
      );
      const packed = packCompletions(requests, await engine.generate(requests));
      const { logprobs_N, entropies_N } = await engine.score(packed.tokens_N, packed.offsets_S1, 1);
      expect(packed.recorded.length).toBeGreaterThan(150);
      expect(packed.recorded.filter((one) => logprobs_N[one.place] !== one.logprob)).toEqual([]);
      expect(packed.recorded.filter((one) => entropies_N[one.place] !== one.entropy)).toEqual([]);
    },
  );

  it("throws INPUT_NOT_VALID when an adapter's target matches no linear", async () => {
    const lora = { rank: 2, alpha: 4, targets: ["w_proj"] };
    await expect(make({ shape: even, seed: 1, device: "cuda", lora })).rejects.toMatchObject({
      code: "INPUT_NOT_VALID",
      message: expect.stringContaining('target "w_proj" matches no linear'),
    });
  });
}
