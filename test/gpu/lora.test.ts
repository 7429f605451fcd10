import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { EngineOptions, ModelShape } from "../../core/src/engines/policy-engine.js";
import { policyLoss } from "../../core/src/numerics/policy-loss.js";
import { runReferenceTransformer } from "../../core/src/numerics/reference-transformer.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { EVERY_TERM, ODD_QWEN3, randomBatch, requestOf, SHAPES, STEP, WIDE_VOCABULARY } from "./engine-fixtures.js";
import { packCompletions } from "./describe-native-engine.js";
import { relativeGap } from "./relative-gap.js";

const LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const UNTIED_WIDE: ModelShape = { ...WIDE_VOCABULARY, tieEmbeddings: false };
const CASES = [...SHAPES, ["Qwen3 with an untied wide head", UNTIED_WIDE] as const];

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((clean) => clean()));

const loraOf = (shape: ModelShape) => ({
  rank: 3,
  alpha: 6,
  targets: shape.tieEmbeddings ? LINEARS : [...LINEARS, "lm_head"],
});

async function make(options: Partial<EngineOptions> = {}): Promise<NativeEngine> {
  const shape = options.shape ?? ODD_QWEN3;
  const engine = await NativeEngine.create({ shape, seed: 3, lora: loraOf(shape), ...options });
  cleanups.push(() => engine.dispose());
  return engine;
}

/** Updates whose outcome is an adapter far from 0. */
async function train(engine: NativeEngine, steps = 3): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await engine.forwardBackward(randomBatch(engine.shape, [40, 7, 25], step), EVERY_TERM);
    await engine.optimStep(STEP);
  }
  await engine.publish();
}

/** A tensor [rows, columns] times another. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, rows: number, inner: number, columns: number) {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < inner; k++)
      for (let j = 0; j < columns; j++) out[i * columns + j]! += a[i * inner + k]! * b[k * columns + j]!;
  return out;
}

function transpose(a: ArrayLike<number>, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => a[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Weights with the adapter added in float64, and for each adapted tensor its A, B and shape. */
async function mergedOf(engine: NativeEngine, rank: number, scale: number) {
  const weights = new Map([...(await engine.weights())].map(([name, values]) => [name, Float64Array.from(values)]));
  const adapter = await engine.adapter();
  const adapted = [...adapter].flatMap(([name, a]) => {
    if (!name.includes(".lora_A.")) return [];
    const target = name.replace("base_model.model.", "").replace(".lora_A", "");
    const b = adapter.get(name.replace("lora_A", "lora_B"))!;
    const [outputs, inputs] = [b.length / rank, a.length / rank];
    const update = product(b, a, outputs, rank, inputs);
    weights.set(
      target,
      weights.get(target)!.map((value, i) => value + scale * update[i]!),
    );
    return [{ name, target, a, b, outputs, inputs }];
  });
  return { weights, adapted };
}

describe("NativeEngine with an adapter", () => {
  it.each(CASES)("has the chain rule's gradients when the model is a %s", async (_, shape) => {
    const engine = await make({ shape });
    await train(engine);
    const { weights, adapted } = await mergedOf(engine, 3, 2);
    const batch = randomBatch(shape, [50, 3, 30]);
    const reference = runReferenceTransformer({ shape, weights, ...batch, temperature: EVERY_TERM.temperature });
    const scores = await engine.score(batch.tokens_N, batch.offsets_S1, EVERY_TERM.temperature);
    expect(relativeGap(scores.logprobs_N, reference.logprobs_N)).toBeLessThan(1e-5);
    const loss = policyLoss({ spec: EVERY_TERM, batch, ...scores });
    const whole = reference.backward(loss.dLogprobs_N, loss.dEntropies_N);
    await engine.forwardBackward(batch, EVERY_TERM);
    const gradients = await engine.gradients();
    expect(adapted.length).toBe(
      loraOf(shape).targets.length * shape.layers - (shape.tieEmbeddings ? 0 : shape.layers - 1),
    );
    for (const { name, target, a, b, outputs, inputs } of adapted) {
      // W = W₀ + s B A:  dA = s Bᵀ dW,  dB = s dW Aᵀ
      const dW = whole.get(target)!.map((value) => 2 * value);
      const dA = product(transpose(b, outputs, 3), dW, 3, outputs, inputs);
      const dB = product(dW, transpose(a, 3, inputs), outputs, inputs, 3);
      expect(relativeGap(gradients.get(name) ?? [], dA), name).toBeLessThan(2e-5);
      expect(relativeGap(gradients.get(name.replace("lora_A", "lora_B")) ?? [], dB), name).toBeLessThan(2e-5);
    }
  });

  it.each(CASES)(
    "records while sampling the logprobs that training computes when the model is a %s",
    async (_, shape) => {
      const engine = await make({ shape });
      await train(engine);
      const requests = Array.from({ length: 80 }, (_, i) => requestOf(i, { stopTokens: [i % 37] }));
      const { tokens_N, offsets_S1, recorded } = packCompletions(requests, await engine.generate(requests));
      const { logprobs_N, entropies_N } = await engine.score(tokens_N, offsets_S1, 1);
      expect(recorded.length).toBeGreaterThan(500);
      expect(recorded.filter((one) => logprobs_N[one.place] !== one.logprob)).toEqual([]);
      expect(recorded.filter((one) => entropies_N[one.place] !== one.entropy)).toEqual([]);
      const zeros = new Float32Array(tokens_N.length);
      const batch = {
        tokens_N,
        offsets_S1,
        weights_N: zeros.slice(),
        advantages_N: zeros,
        behaviourLogprobs_N: zeros.slice(),
      };
      for (const { place, logprob } of recorded) {
        batch.behaviourLogprobs_N[place] = logprob;
        batch.weights_N[place] = 1;
      }
      const metrics = await engine.forwardBackward(batch, { ...EVERY_TERM, temperature: 1 });
      expect(metrics["mismatch/max"]).toBe(0);
    },
  );

  it("records in bf16 too while sampling the logprobs that training computes", async () => {
    const engine = await make({ dtype: "bf16" });
    await train(engine);
    const requests = Array.from({ length: 60 }, (_, i) => requestOf(i));
    const { tokens_N, offsets_S1, recorded } = packCompletions(requests, await engine.generate(requests));
    const { logprobs_N } = await engine.score(tokens_N, offsets_S1, 1);
    expect(recorded.filter((one) => logprobs_N[one.place] !== one.logprob)).toEqual([]);
  });

  it("changes nothing before it has learned, then leaves the weights and their reference as they were", async () => {
    const batch = randomBatch(ODD_QWEN3, [50, 20]);
    const plain = await NativeEngine.create({ shape: ODD_QWEN3, seed: 3 });
    cleanups.push(() => plain.dispose());
    const expected = await plain.score(batch.tokens_N, batch.offsets_S1, 1);
    const engine = await make();
    expect(await engine.score(batch.tokens_N, batch.offsets_S1, 1)).toEqual(expected);
    await engine.keepReference();
    await train(engine);
    expect(await engine.weights()).toEqual(await plain.weights());
    expect(await engine.score(batch.tokens_N, batch.offsets_S1, 1)).not.toEqual(expected);
    expect(await engine.scoreReference(batch.tokens_N, batch.offsets_S1, 1)).toEqual(expected);
  });

  it("gives the same bits whatever is computed again and with any number of threads", async () => {
    const run = async (options: Partial<EngineOptions>) => {
      const engine = await make(options);
      await train(engine, 2);
      return engine.adapter();
    };
    const kept = await run({});
    expect(await run({ training: { recompute: "feed-forward" } })).toEqual(kept);
    expect(await run({ training: { recompute: "layers" } })).toEqual(kept);
    expect(await run({ threads: 1 })).toEqual(kept);
  });

  it("goes on with the same bits after its files were saved and loaded", async () => {
    const folder = temporaryFolder();
    const engine = await make();
    await train(engine);
    await engine.save(folder, { optimizer: true });
    expect(existsSync(join(folder, "model.safetensors"))).toBe(false);
    const copy = await make();
    await copy.load(folder, { optimizer: true });
    await Promise.all([train(engine), train(copy)]);
    expect(await copy.adapter()).toEqual(await engine.adapter());
  });

  it("exports a merged policy that any engine loads", async () => {
    const folder = temporaryFolder();
    const engine = await make({ shape: UNTIED_WIDE });
    await train(engine);
    await engine.save(folder, { merged: true });
    const merged = await NativeEngine.create({ shape: UNTIED_WIDE, seed: 9 });
    cleanups.push(() => merged.dispose());
    await merged.load(folder);
    await merged.publish();
    const batch = randomBatch(UNTIED_WIDE, [60, 40]);
    const [a, b] = [engine, merged].map((one) => one.score(batch.tokens_N, batch.offsets_S1, 1));
    expect(relativeGap((await b!).logprobs_N, (await a!).logprobs_N)).toBeLessThan(1e-5);
  });

  it.each([
    [{ rank: 4, alpha: 8, targets: ["q_proj", "w_proj"] }, /target "w_proj" matches no linear; linears are q_proj, /],
    [{ rank: 4, alpha: 8, targets: ["lm_head"] }, /"lm_head" is no linear of its own here: it is tied/],
    [{ rank: 4, alpha: 0, targets: ["q_proj"] }, /alpha must be positive/],
  ])("throws INPUT_NOT_VALID when it is asked for %j", async (lora, message) => {
    await expect(make({ lora })).rejects.toMatchObject({
      code: "INPUT_NOT_VALID",
      message: expect.stringMatching(message),
    });
  });

  it("throws WEIGHTS_NOT_VALID naming the field or tensor when files are of another adapter", async () => {
    const folder = temporaryFolder();
    const engine = await make();
    await engine.save(folder);
    const other = await make({ lora: { rank: 4, alpha: 6, targets: LINEARS } });
    await expect(other.load(folder)).rejects.toMatchObject({
      code: "WEIGHTS_NOT_VALID",
      message: expect.stringContaining("r is 3, the engine's adapter has 4"),
    });
    const path = join(folder, "adapter_config.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"r": 3', '"r": 4'));
    await expect(other.load(folder)).rejects.toMatchObject({
      code: "WEIGHTS_NOT_VALID",
      message: expect.stringContaining(
        'tensor "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" has shape [3, 22]',
      ),
    });
  });
});
