import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { GenerateRequest, ModelShape, SaveOptions } from "../../../core/src/engines/policy-engine.js";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { runReferenceTransformer } from "../../../core/src/numerics/reference-transformer.js";
import { readSafetensors, writeSafetensors } from "../../../core/src/store/safetensors.js";
import { tensorOf } from "../../../core/src/store/tensor-values.js";
import { rewardVerifier } from "../../../core/src/verify/reward-verifier.js";
import { NativeEngine } from "../../../gpu/src/native-engine.js";
import { exportOnnx } from "../../../gpu/src/onnx/export-onnx.js";
import { attachSampler, createEngine, OnnxEngine } from "../../../gpu/src/onnx/onnx-engine.js";
import { openRewardModel } from "../../../gpu/src/onnx/reward-model.js";
import { runScript } from "../../support/run-script.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";
import { ODD_QWEN3, randomBatch, requestOf, SHAPES } from "../engine-fixtures.js";
import { relativeGap } from "../relative-gap.js";

const root = temporaryFolder();
const disposables: { dispose(): void }[] = [];
let folders = 0;
afterEach(() => disposables.splice(0).forEach((one) => one.dispose()));

const isInstalled = (() => {
  try {
    createRequire(import.meta.url).resolve("onnxruntime-node");
    return true;
  } catch {
    console.warn("Skipping what needs ONNX Runtime: the package onnxruntime-node is not installed");
    return false;
  }
})();

function track<T extends { dispose(): void }>(one: T): T {
  disposables.push(one);
  return one;
}

/** A random policy, exported, with a native engine that has its weights. */
async function exported(shape: ModelShape, options: SaveOptions = {}) {
  const directory = join(root, String(folders++));
  await track(await NativeEngine.create({ shape, seed: 3 })).save(directory, options);
  const native = track(await NativeEngine.create({ shape, seed: 4 }));
  await native.load(directory);
  await native.publish();
  return { directory, native, path: await exportOnnx(directory) };
}

async function open(directory: string, shape: ModelShape): Promise<OnnxEngine> {
  const engine = track(new OnnxEngine({ shape, seed: 1 }));
  await engine.load(directory);
  return engine;
}

describe("exportOnnx()", () => {
  it("writes some kilobytes that name the weights where they lie", async () => {
    const { path } = await exported(ODD_QWEN3, { maxShardBytes: 8_000 });
    expect(statSync(path).size).toBeLessThan(30_000);
    expect(readFileSync(path).includes("model-00002-of-")).toBe(true);
  });

  it("refuses a tensor that is missing or has another shape, naming it", async () => {
    const { directory } = await exported(ODD_QWEN3);
    const path = join(directory, "model.safetensors");
    const tensors = new Map((await readSafetensors(path)).tensors);
    const name = "model.layers.1.mlp.up_proj.weight";
    await writeSafetensors(path, new Map(tensors).set(name, tensorOf(new Float32Array(6), [2, 3])));
    await expect(exportOnnx(directory)).rejects.toMatchObject({
      code: "WEIGHTS_NOT_VALID",
      message: `Cannot load weights from "${path}": tensor "${name}" has shape [2, 3], wanted is [41, 22]`,
    });
    tensors.delete(name);
    await writeSafetensors(path, tensors);
    await expect(exportOnnx(directory)).rejects.toThrow(`tensor "${name}" is missing`);
  });
});

describe.skipIf(isInstalled)("OnnxEngine without ONNX Runtime", () => {
  it("is refused with ONNX_RUNTIME_MISSING and the command that installs it", async () => {
    await expect(createEngine({ shape: ODD_QWEN3, seed: 1 })).rejects.toMatchObject({
      code: "ONNX_RUNTIME_MISSING",
      hint: expect.stringContaining("npm install --no-save --ignore-scripts onnxruntime-node@"),
    });
  });
});

describe.skipIf(!isInstalled)("OnnxEngine", () => {
  it.each(
    SHAPES.flatMap(([name, shape]) => [
      { name, shape, options: {} },
      {
        name: `${name} in bfloat16 and shards`,
        shape,
        options: { elementType: "bfloat16", maxShardBytes: 8_000 } as const,
      },
    ]),
  )("scores as the native engine does, within 1e-5: $name", async ({ shape, options }) => {
    const { directory, native } = await exported(shape, options);
    const engine = await open(directory, shape);
    const { tokens_N, offsets_S1 } = randomBatch(shape, [40, 1, 0, 75, 2]);
    const [found, expected] = await Promise.all([engine, native].map((one) => one.score(tokens_N, offsets_S1, 0.7)));
    expect(relativeGap(found!.logprobs_N, expected!.logprobs_N)).toBeLessThan(1e-5);
    expect(relativeGap(found!.entropies_N, expected!.entropies_N)).toBeLessThan(1e-5);
  });

  it("samples what the native engine samples, with prompts of any lengths beside each other", async () => {
    const { directory, native } = await exported(ODD_QWEN3);
    const engine = await open(directory, ODD_QWEN3);
    const requests = Array.from({ length: 40 }, (_, i): GenerateRequest =>
      requestOf(i, {
        stopTokens: [i % 37],
        ...(i % 3 === 0 && { topP: 0.8 }),
        ...(i % 5 === 0 && { topK: 7, minP: 0.05 }),
        ...(i % 7 === 0 && { temperature: 0, logitBias: [[4, 2] as const] }),
        ...(i % 4 === 0 && { forcedTokens: Int32Array.of(1, 2, 3) }),
      }),
    );
    const [found, expected] = [await engine.generate(requests), await native.generate(requests)];
    expect(found.map(({ tokens }) => [...tokens])).toEqual(expected.map(({ tokens }) => [...tokens]));
    expect(found.map(({ stopReason }) => stopReason)).toEqual(expected.map(({ stopReason }) => stopReason));
    for (const [i, { logprobs, entropies }] of found.entries()) {
      expect(relativeGap(logprobs, expected[i]!.logprobs)).toBeLessThan(2e-5);
      expect(relativeGap(entropies, expected[i]!.entropies)).toBeLessThan(2e-5);
    }
  });

  it("takes sequences in that are longer than one piece", async () => {
    const shape = { ...ODD_QWEN3, maxPositions: 700 };
    const { directory, native } = await exported(shape);
    const engine = await open(directory, shape);
    const { tokens_N, offsets_S1 } = randomBatch(shape, [690]);
    const [found, expected] = [
      await engine.score(tokens_N, offsets_S1, 1),
      await native.score(tokens_N, offsets_S1, 1),
    ];
    expect(relativeGap(found.logprobs_N, expected.logprobs_N)).toBeLessThan(1e-5);
    const request = requestOf(1, { promptTokens: tokens_N, maxTokens: 4 });
    expect((await engine.generate([request]))[0]?.tokens).toEqual((await native.generate([request]))[0]?.tokens);
  });

  it("says what it can do, and refuses to train", async () => {
    const { directory } = await exported(ODD_QWEN3);
    const engine = await open(directory, ODD_QWEN3);
    expect(engine.capabilities).toEqual({ generate: true, score: true, train: false, zeroMismatch: false });
    await expect(engine.forwardBackward()).rejects.toMatchObject({ code: "TRAINING_NOT_SUPPORTED" });
    await expect(engine.optimStep()).rejects.toMatchObject({ code: "TRAINING_NOT_SUPPORTED" });
    expect(() => engine.resetOptimizer()).toThrow(expect.objectContaining({ code: "TRAINING_NOT_SUPPORTED" }));
  });

  it("gives its version to samplers, and is copied whole by save()", async () => {
    const { directory } = await exported(ODD_QWEN3, { maxShardBytes: 8_000 });
    const engine = await open(directory, ODD_QWEN3);
    await engine.publish(5);
    const sampler = track(attachSampler(engine.handle()));
    expect(sampler.version()).toBe(5);
    const [completion] = await sampler.generate([requestOf(3)]);
    expect(completion?.version).toBe(5);
    const copy = join(root, "copy");
    await engine.save(copy);
    rmSync(directory, { recursive: true });
    expect(await (await open(copy, ODD_QWEN3)).generate([requestOf(3)])).toEqual([{ ...completion, version: 0 }]);
    expect(() => attachSampler({ engine: "other" })).toThrow(expect.objectContaining({ code: "HANDLE_NOT_VALID" }));
  });

  it("ends early when it is aborted, with what was sampled so far", async () => {
    const shape = { ...ODD_QWEN3, maxPositions: 4_000 };
    const engine = await open((await exported(shape)).directory, shape);
    const abort = new AbortController();
    const requests = [requestOf(1, { maxTokens: 3_900 })];
    const running = engine.generate(requests, { signal: abort.signal });
    // An order given later is answered later, so this one was under way.
    abort.abort();
    const [completion] = await running;
    expect(completion?.stopReason).toBe("aborted");
    expect(completion?.tokens.length).toBeLessThan(3_900);
  });

  it.each<[string, Partial<GenerateRequest>, string]>([
    ["an empty prompt", { promptTokens: new Int32Array() }, "request 1 has an empty prompt"],
    ["a token outside of the vocabulary", { promptTokens: Int32Array.of(37) }, "request 1 has token 37, outside"],
    ["more tokens than positions", { maxTokens: 160 }, "request 1 may reach 161 tokens, more than maxPositions 160"],
    ["a temperature below 0", { temperature: -1 }, "request 1 needs a temperature of 0 or more"],
    ["no tokens", { maxTokens: 0 }, "request 1 must be allowed at least one token"],
    // A request of a later contract, which this engine must not silently ignore.
    ["a rule it does not know", { thinkBudget: 3 } as object, "request 1 asks for thinkBudget"],
  ])("refuses %s with INPUT_NOT_VALID", async (_, fields, problem) => {
    const engine = await open((await exported(ODD_QWEN3)).directory, ODD_QWEN3);
    await expect(engine.generate([requestOf(0), requestOf(0, fields)])).rejects.toMatchObject({
      code: "INPUT_NOT_VALID",
      message: expect.stringContaining(problem),
    });
  });

  it("refuses a folder without model.onnx, a model that is none, and one of another shape", async () => {
    const { directory, path } = await exported(ODD_QWEN3);
    const engine = track(new OnnxEngine({ shape: ODD_QWEN3, seed: 1 }));
    await expect(engine.generate([requestOf(1)])).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });
    writeFileSync(path, "no model");
    await engine.load(directory);
    await expect(engine.generate([requestOf(1)])).rejects.toMatchObject({
      code: "ONNX_MODEL_NOT_VALID",
      message: expect.stringContaining(path),
    });
    rmSync(path);
    await expect(engine.load(directory)).rejects.toMatchObject({ code: "ONNX_MODEL_NOT_VALID" });
    const other = await exported({ ...ODD_QWEN3, vocabSize: 40 });
    await expect(engine.load(other.directory)).rejects.toThrow("vocabSize 40, the engine has 37");
  });

  it("fails what is under way when it is disposed, and what is asked later", async () => {
    const shape = { ...ODD_QWEN3, maxPositions: 4_000 };
    const engine = await open((await exported(shape)).directory, shape);
    await engine.publish(1);
    const sampler = attachSampler(engine.handle());
    await sampler.generate([requestOf(1, { maxTokens: 2 })]);
    const running = sampler.generate([requestOf(1, { maxTokens: 3_900 })]);
    sampler.dispose();
    const ended = {
      code: "ONNX_PROCESS_ENDED",
      message: expect.stringContaining("ended with the disposal of its sampler"),
    };
    await expect(running).rejects.toMatchObject(ended);
    await expect(sampler.generate([requestOf(1)])).rejects.toMatchObject(ended);
  });
});

describe.skipIf(!isInstalled)("OnnxSampler", () => {
  it("takes only its own process along when the thread that attached it is terminated amid a call", async () => {
    const shape = { ...ODD_QWEN3, maxPositions: 4_000 };
    const { directory } = await exported(shape);
    const handle = { engine: "troupe-onnx", directory, threads: 1, version: 0 };
    const gpu = new URL("../../../gpu/dist/src/onnx/index.js", import.meta.url).href;
    const request = `{ promptTokens: Int32Array.of(1), maxTokens: LENGTH, temperature: 1, topP: 1, topK: 0, minP: 0, stopTokens: [], seed: [1, 2] }`;
    const end = await runScript(`
      import { Worker } from "node:worker_threads";
      const code = \`
        import { parentPort } from "node:worker_threads";
        import { attachSampler } from ${JSON.stringify(gpu)};
        const sampler = attachSampler(${JSON.stringify(handle)});
        await sampler.generate([${request.replace("LENGTH", "1")}]);
        parentPort.postMessage("running");
        await sampler.generate([${request.replace("LENGTH", "3900")}]);
      \`;
      const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(code)));
      await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
      await worker.terminate();
      console.log("alive");
    `);
    expect(end).toMatchObject({ exitCode: 0, stdout: "alive\n" });
  });

  it("says what the runtime says of an execution provider that it does not have", async () => {
    const { directory } = await exported(ODD_QWEN3);
    process.env["TROUPE_ONNX_PROVIDERS"] = "abacus";
    try {
      const engine = await open(directory, ODD_QWEN3);
      await expect(engine.generate([requestOf(1)])).rejects.toMatchObject({
        code: "ONNX_MODEL_NOT_VALID",
        message: expect.stringContaining("abacus"),
      });
    } finally {
      delete process.env["TROUPE_ONNX_PROVIDERS"];
    }
  });
});

describe.skipIf(!isInstalled)("openRewardModel() and rewardVerifier()", () => {
  /** A reward model: the tiny policy's shape and tokenizer, and a score in place of the head. */
  async function rewardFolder() {
    const directory = writeTinyPolicy(join(root, "reward"), { tie_word_embeddings: false });
    const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    const shape: ModelShape = {
      ...ODD_QWEN3,
      vocabSize: 298,
      hiddenSize: 32,
      heads: 2,
      kvHeads: 1,
      headSize: 16,
      intermediateSize: 64,
      maxPositions: 256,
      ropeTheta: 10_000,
      tieEmbeddings: false,
    };
    const engine = track(await NativeEngine.create({ shape, seed: 8 }));
    await engine.save(directory);
    const weights = new Map([...(await engine.weights())].map(([name, values]) => [name, Float64Array.from(values)]));
    const path = join(directory, "model.safetensors");
    const tensors = new Map((await readSafetensors(path)).tensors);
    const head = (await engine.weights()).get("lm_head.weight") ?? new Float32Array();
    // The reward is what the policy's head gave token 0.
    tensors.delete("lm_head.weight");
    await writeSafetensors(path, tensors.set("score.weight", tensorOf(head.slice(0, 32), [1, 32])));
    writeFileSync(
      join(directory, "config.json"),
      JSON.stringify({ ...config, architectures: ["Qwen3ForSequenceClassification"] }),
    );
    await exportOnnx(directory, "reward");
    const rewardOf = (tokens: Int32Array) => {
      const offsets_S1 = [0, tokens.length];
      const { logits_NV } = runReferenceTransformer({ shape, weights, tokens_N: tokens, offsets_S1, temperature: 1 });
      return logits_NV[(tokens.length - 1) * shape.vocabSize] ?? NaN;
    };
    return { directory, rewardOf };
  }

  it("give the score after the last token, and a partial verdict made of it", async () => {
    const { directory, rewardOf } = await rewardFolder();
    const model = track(await openRewardModel({ directory }));
    const sequences = [Int32Array.of(5, 6, 7), Int32Array.from({ length: 90 }, (_, i) => (i * 11) % 298)];
    const scores = await model.score(sequences);
    expect(relativeGap(scores, sequences.map(rewardOf))).toBeLessThan(1e-5);
    await expect(model.score([new Int32Array()])).rejects.toMatchObject({ code: "INPUT_NOT_VALID" });

    const verifier = rewardVerifier({ model: directory });
    const task = {
      id: "t",
      domain: "any",
      prompt: [{ role: "user", content: "1+1" } as const],
      reference: "",
      meta: {},
    };
    // Only the response is read of a trajectory.
    const verdict = await verifier.verify(task, { responseText: "2<|im_end|>" } as Parameters<
      typeof verifier.verify
    >[1]);
    const text = "<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n";
    const reward = rewardOf(Tokenizer.fromDirectory(directory).encode(text));
    expect(verdict).toMatchObject({ kind: "partial", verifier: "reward-model" });
    expect(verdict.parts?.["reward"]).toBeCloseTo(reward, 4);
    expect(verdict.score).toBeCloseTo(1 / (1 + Math.exp(-reward)), 5);
  });
});
