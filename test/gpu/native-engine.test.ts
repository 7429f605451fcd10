import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { adamwUpdate } from "../../core/src/numerics/adamw.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { attachSampler } from "../../gpu/src/native-handle.js";
import { microBatches } from "../../gpu/src/micro-batches.js";
import { relativeGap } from "./relative-gap.js";
import { EVERY_TERM, NEXT_TOKEN, ODD_QWEN3, randomBatch, requestOf, SHAPES, STEP } from "./engine-fixtures.js";

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((clean) => clean()));

async function make(options: Partial<Parameters<typeof NativeEngine.create>[0]> = {}): Promise<NativeEngine> {
  const engine = await NativeEngine.create({ shape: ODD_QWEN3, seed: 1, ...options });
  cleanups.push(() => engine.dispose());
  return engine;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-engine-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

const batch = randomBatch(ODD_QWEN3, [30, 12, 50]);

async function train(engine: NativeEngine, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await engine.forwardBackward(batch, EVERY_TERM);
    await engine.optimStep(STEP);
  }
}

describe("NativeEngine.create()", () => {
  it("names the formats that there are when the dtype is another", async () => {
    // What a caller without types can pass.
    const dtype = "fp8" as "bf16";
    await expect(make({ dtype })).rejects.toThrow('dtype is "fp8", not fp32 or bf16');
  });

  it("draws the same weights from the same seed, others from another", async () => {
    const [a, b, c] = [await make(), await make({ threads: 1 }), await make({ seed: 2 })];
    expect(await b.weights()).toEqual(await a.weights());
    expect(await c.weights()).not.toEqual(await a.weights());
  });

  it.each([
    ["heads", { heads: 5 }],
    ["headSize", { headSize: 7 }],
    ["layers", { layers: 0 }],
    ["ropeTheta", { ropeTheta: NaN }],
    [
      "high frequency factor",
      { ropeScaling: { factor: 8, lowFrequencyFactor: 4, highFrequencyFactor: 4, originalPositions: 64 } },
    ],
  ])("throws SHAPE_NOT_VALID naming %s when it does not fit", async (field, fields) => {
    const failure = NativeEngine.create({ shape: { ...ODD_QWEN3, ...fields }, seed: 1 });
    await expect(failure).rejects.toMatchObject({ code: "SHAPE_NOT_VALID", message: expect.stringContaining(field) });
  });
});

describe("NativeEngine.optimStep()", () => {
  it("updates as the reference does, step after step", async () => {
    const engine = await make();
    const wide = (tensors: ReadonlyMap<string, Float32Array>) =>
      new Map([...tensors].map(([name, values]) => [name, Float64Array.from(values)]));
    let state;
    for (let step = 0; step < 4; step++) {
      await engine.forwardBackward(batch, EVERY_TERM);
      const expected = adamwUpdate(wide(await engine.weights()), wide(await engine.gradients()), state, STEP);
      const { gradNorm } = await engine.optimStep(STEP);
      expect(Math.abs(gradNorm / expected.gradNorm - 1)).toBeLessThan(1e-6);
      for (const [name, values] of await engine.weights()) {
        expect(relativeGap(values, expected.parameters.get(name) ?? []), name).toBeLessThan(1e-6);
      }
      state = expected.state;
    }
  });

  it("adds gradients of several batches, and clears them when it is done", async () => {
    const engine = await make();
    await engine.forwardBackward(batch, EVERY_TERM);
    const once = await engine.gradients();
    await engine.forwardBackward(batch, EVERY_TERM);
    for (const [name, values] of await engine.gradients()) {
      expect(
        relativeGap(
          values,
          (once.get(name) ?? new Float32Array()).map((value) => 2 * value),
        ),
        name,
      ).toBeLessThan(1e-5);
    }
    await engine.optimStep(STEP);
    for (const values of (await engine.gradients()).values()) expect(values.every((value) => value === 0)).toBe(true);
  });

  it("learns a sequence by heart", async () => {
    const engine = await make();
    const lossOf = async () => (await engine.forwardBackward(batch, NEXT_TOKEN))["loss/next_token"] ?? NaN;
    const before = await lossOf();
    for (let step = 0; step < 150; step++) {
      await engine.optimStep(STEP);
      await lossOf();
    }
    expect(await lossOf()).toBeLessThan(0.2 * before);
  });

  it("throws VALUE_NOT_FINITE and leaves the weights when a gradient overflows", async () => {
    const engine = await make();
    const before = await engine.weights();
    const huge = { ...batch, nextTokenWeights_N: new Float32Array(batch.tokens_N.length).fill(3e38) };
    await engine.forwardBackward(huge, NEXT_TOKEN);
    await expect(engine.optimStep(STEP)).rejects.toMatchObject({
      code: "VALUE_NOT_FINITE",
      message: expect.stringMatching(/the gradient of "model\.[\w.]+" is not finite/),
    });
    expect(await engine.weights()).toEqual(before);
    await train(engine, 1);
  });
});

describe("NativeEngine.forwardBackward()", () => {
  const long = randomBatch(ODD_QWEN3, [150, 160, 40, 0, 160, 3, 70, 160, 150, 130, 20, 160, 1]);

  it.each([1, 200, 500])(
    "gives the same gradients and metrics when micro-batches have %i tokens at most",
    async (tokens) => {
      const whole = await make({ training: { microBatchTokens: 10_000 } });
      const cut = await make({ training: { microBatchTokens: tokens } });
      expect(microBatches(long, tokens).length).toBeGreaterThan(2);
      const wanted = await whole.forwardBackward(long, EVERY_TERM);
      const metrics = await cut.forwardBackward(long, EVERY_TERM);
      for (const [name, value] of Object.entries(wanted)) expect(metrics[name], name).toBeCloseTo(value, 6);
      const gradients = await whole.gradients();
      for (const [name, values] of await cut.gradients()) {
        expect(relativeGap(values, gradients.get(name) ?? []), name).toBeLessThan(1e-5);
      }
    },
  );

  it.each(SHAPES)("gives the same bits whatever it computes again when the model is a %s", async (_, shape) => {
    const batch = randomBatch(shape, [90, 3, 41, 1, 66, 120]);
    const gradientsOf = async (recompute: "nothing" | "feed-forward" | "layers") => {
      const engine = await make({ shape, training: { recompute } });
      await engine.forwardBackward(batch, EVERY_TERM);
      await engine.forwardBackward(batch, EVERY_TERM);
      return engine.gradients();
    };
    const kept = await gradientsOf("nothing");
    expect(await gradientsOf("feed-forward")).toEqual(kept);
    expect(await gradientsOf("layers")).toEqual(kept);
  });

  it.each([
    ["INPUT_NOT_VALID", "outside the vocabulary", { tokens_N: batch.tokens_N.map(() => 37) }],
    ["INPUT_NOT_VALID", "outside the vocabulary", { tokens_N: batch.tokens_N.map(() => -1) }],
    ["SHAPE_NOT_VALID", "offsets end with 91", { offsets_S1: Int32Array.of(0, 30, 91) }],
    ["SHAPE_NOT_VALID", "offsets decrease", { offsets_S1: Int32Array.of(0, 50, 30, 92) }],
    ["SHAPE_NOT_VALID", "must begin with 0", { offsets_S1: Int32Array.of(1, 30, 92) }],
    ["SHAPE_NOT_VALID", "weights_N", { weights_N: new Float32Array(3) }],
    ["VALUE_NOT_FINITE", "the loss is NaN", { weights_N: batch.weights_N.map(() => NaN) }],
  ])("throws %s when %s", async (code, text, fields) => {
    const engine = await make();
    const failure = engine.forwardBackward({ ...batch, ...fields }, EVERY_TERM);
    await expect(failure).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    await engine.forwardBackward(batch, EVERY_TERM);
  });

  it("throws INPUT_NOT_VALID when a sequence is longer than maxPositions", async () => {
    const engine = await make();
    await expect(engine.forwardBackward(randomBatch(ODD_QWEN3, [161]), EVERY_TERM)).rejects.toThrow("161 tokens");
    await expect(engine.score(new Int32Array(161), Int32Array.of(0, 161), 1)).rejects.toThrow("161 tokens");
    await expect(engine.score(new Int32Array(5), Int32Array.of(0, 3), 1)).rejects.toMatchObject({
      code: "SHAPE_NOT_VALID",
    });
    await expect(engine.score(new Int32Array(5), Int32Array.of(0, 5), 0)).rejects.toMatchObject({
      code: "INPUT_NOT_VALID",
    });
  });
});

describe("NativeEngine.publish()", () => {
  it("shows new weights to samplers only then, under the number that it gives", async () => {
    const engine = await make();
    const sampler = attachSampler(structuredClone(engine.handle()));
    cleanups.push(() => sampler.dispose());
    const score = () => sampler.score(batch.tokens_N, batch.offsets_S1, 1);
    expect(sampler.version()).toBe(0);
    const before = await score();
    await train(engine, 1);
    expect(await score()).toEqual(before);
    expect(await engine.publish()).toBe(1);
    expect(await score()).not.toEqual(before);
    expect(await engine.publish(41)).toBe(41);
    expect(sampler.version()).toBe(41);
    expect((await sampler.generate([requestOf(1)]))[0]?.version).toBe(41);
    expect(await engine.publish()).toBe(42);
  });

  it("leaves a call with the version that it began with", async () => {
    const engine = await make();
    const requests = Array.from({ length: 400 }, (_, i) => requestOf(i, { maxTokens: 90 }));
    const expected = await engine.generate(requests);
    const running = engine.generate(requests);
    for (let i = 0; i < 6; i++) {
      await train(engine, 1);
      await engine.publish();
    }
    expect(await running).toEqual(expected);
    expect(engine.version()).toBe(6);
  });
});

describe("NativeEngine.save()", () => {
  it.each(SHAPES)(
    "writes what load() reads back to the bit, optimizer included, when the model is a %s",
    async (_, shape) => {
      const [folder, first, second] = [temporaryFolder(), await make({ shape }), await make({ shape, seed: 9 })];
      const own = randomBatch(shape, [30, 12, 50]);
      const step = async (engine: NativeEngine) => {
        await engine.forwardBackward(own, EVERY_TERM);
        await engine.optimStep(STEP);
      };
      await step(first);
      await step(first);
      await first.save(folder, { optimizer: true });
      await second.load(folder, { optimizer: true });
      expect(await second.weights()).toEqual(await first.weights());
      await step(first);
      await step(second);
      expect(await second.weights()).toEqual(await first.weights());
      first.resetOptimizer();
      await step(first);
      await step(second);
      expect(await second.weights()).not.toEqual(await first.weights());
    },
  );

  it("names the architecture in config.json", async () => {
    for (const [name, shape] of SHAPES) {
      const folder = temporaryFolder();
      await (await make({ shape })).save(folder);
      const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
      expect(config.architectures).toEqual([`${name}ForCausalLM`]);
      expect(config.tie_word_embeddings).toBe(shape.tieEmbeddings);
    }
  });
});

describe("attachSampler()", () => {
  it("throws HANDLE_NOT_VALID for anything else, ENGINE_GONE when the engine is", async () => {
    for (const wrong of [undefined, null, 3, {}, { engine: "other" }]) {
      expect(() => attachSampler(wrong)).toThrow(expect.objectContaining({ code: "HANDLE_NOT_VALID" }));
    }
    const engine = await make();
    const handle = engine.handle();
    expect(() => attachSampler({ ...handle, process: handle.process + 1 })).toThrow(
      expect.objectContaining({ code: "ENGINE_GONE" }),
    );
    const sampler = attachSampler(handle);
    engine.dispose();
    // A sampler keeps the published weights alive.
    expect((await sampler.generate([requestOf(1)])).length).toBe(1);
    sampler.dispose();
    // The thread of the last call lets go of the weights a moment after it answered.
    await vi.waitFor(
      () => expect(() => attachSampler(handle)).toThrow(expect.objectContaining({ code: "ENGINE_GONE" })),
      { timeout: 600_000 },
    );
    await expect(sampler.generate([requestOf(1)])).rejects.toMatchObject({ code: "ENGINE_GONE" });
    await expect(engine.forwardBackward(batch, EVERY_TERM)).rejects.toMatchObject({ code: "ENGINE_GONE" });
  });
});
