import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { readModelShape } from "../../core/src/engines/model-shape.js";
import { runReferenceTransformer } from "../../core/src/numerics/reference-transformer.js";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../core/src/store/safetensors.js";
import { float32Of } from "../../core/src/store/tensor-values.js";
import { bfloat16Of } from "../support/bfloat16.js";
import { NativeEngine } from "../../gpu/src/native-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { ODD_QWEN3, randomBatch, requestOf, SHAPES } from "./engine-fixtures.js";
import { relativeGap } from "./relative-gap.js";

const root = temporaryFolder();
const engines: NativeEngine[] = [];
let folders = 0;
afterEach(() => engines.splice(0).forEach((engine) => engine.dispose()));

async function make(shape = ODD_QWEN3, seed = 1): Promise<NativeEngine> {
  const engine = await NativeEngine.create({ shape, seed });
  engines.push(engine);
  return engine;
}

function folder(): string {
  const path = join(root, String(folders++));
  mkdirSync(path);
  return path;
}

const INDEX = "model.safetensors.index.json";

/** A folder with the weights of a small model in shards of at most 8 kB. */
async function shardedFolder(): Promise<string> {
  const directory = folder();
  await (await make()).save(directory, { maxShardBytes: 8_000 });
  return directory;
}

describe("NativeEngine.save() and load()", () => {
  it.each(SHAPES)("give the same weights back, in one file and in shards, when the model is a %s", async (_, shape) => {
    const engine = await make(shape);
    const weights = await engine.weights();
    for (const maxShardBytes of [Infinity, 8_000, 1]) {
      const directory = folder();
      await engine.save(directory, { maxShardBytes });
      const files = readdirSync(directory).filter((name) => name.startsWith("model"));
      if (maxShardBytes === Infinity) expect(files).toEqual(["model.safetensors"]);
      if (maxShardBytes === 1) expect(files.length).toBe(weights.size + 1);
      expect(readModelShape(directory)).toEqual(shape);
      const other = await make(shape, 2);
      await other.load(directory);
      expect(await other.weights()).toEqual(weights);
    }
  });

  it("give bfloat16's values back when they were saved so", async () => {
    const [engine, other, directory] = [await make(), await make(ODD_QWEN3, 2), folder()];
    await engine.save(directory, { elementType: "bfloat16" });
    expect(JSON.parse(readFileSync(join(directory, "config.json"), "utf8")).torch_dtype).toBe("bfloat16");
    await other.load(directory);
    const loaded = await other.weights();
    for (const [name, values] of await engine.weights())
      expect(loaded.get(name)).toEqual(float32Of({ type: "BF16", bytes: bfloat16Of(values) }));
  });

  it("fill an engine that was made blank", async () => {
    const [engine, directory] = [await make(), folder()];
    await engine.save(directory);
    const blank = await NativeEngine.create({ shape: ODD_QWEN3, seed: 2, blank: true });
    engines.push(blank);
    for (const values of (await blank.weights()).values()) expect(values.every((value) => value === 0)).toBe(true);
    await blank.load(directory);
    await blank.publish();
    expect(await blank.weights()).toEqual(await engine.weights());
    const [wanted, found] = [await engine.generate([requestOf(1)]), await blank.generate([requestOf(1)])];
    expect(found[0]?.logprobs).toEqual(wanted[0]?.logprobs);
  });

  it("read float16, a second head of a tied model, and buffers that follow from the config", async () => {
    const [engine, directory] = [await make(), folder()];
    await engine.save(directory);
    const path = join(directory, "model.safetensors");
    const tensors = new Map((await readSafetensors(path)).tensors);
    const half = Uint16Array.of(0x3c00, 0xc100);
    tensors.set("model.norm.weight", {
      type: "F16",
      shape: [22],
      bytes: new Uint8Array(Uint16Array.from({ length: 22 }, (_, i) => half[i % 2] ?? 0).buffer),
    });
    const scalar: StoredTensor = { type: "F32", shape: [1], bytes: new Uint8Array(4) };
    tensors.set("lm_head.weight", scalar).set("model.layers.0.self_attn.rotary_emb.inv_freq", scalar);
    await writeSafetensors(path, tensors);
    await engine.load(directory);
    expect((await engine.weights()).get("model.norm.weight")?.slice(0, 3)).toEqual(Float32Array.of(1, -2.5, 1));
  });

  it("leave no weights of an earlier save beside the new ones", async () => {
    const [engine, directory] = [await make(), await shardedFolder()];
    expect(existsSync(join(directory, INDEX))).toBe(true);
    await engine.save(directory);
    expect(readdirSync(directory).toSorted()).toEqual(["config.json", "model.safetensors"]);
    await engine.save(directory, { maxShardBytes: 8_000 });
    expect(existsSync(join(directory, "model.safetensors"))).toBe(false);
    await engine.load(directory);
  });
});

describe("NativeEngine.load()", () => {
  const name = "model.layers.1.mlp.up_proj.weight";

  async function refusal(directory: string, shape = ODD_QWEN3): Promise<{ code: string; message: string }> {
    const engine = await make(shape, 5);
    const before = await engine.weights();
    const failure = await engine.load(directory).then(
      () => undefined,
      // What load() rejects with is an error of a catalogue.
      (cause: unknown) => cause as { code: string; message: string },
    );
    expect(await engine.weights()).toEqual(before);
    return { code: failure?.code ?? "none", message: failure?.message ?? "" };
  }

  const bytes = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const bad = (value: number) => bytes(Array.from({ length: 41 * 22 }, (_, i) => (i === 25 ? value : 0)));
  it.each<[string, (tensors: Map<string, StoredTensor>) => void, string]>([
    ["a missing tensor", (tensors) => tensors.delete(name), `tensor "${name}" is missing, wanted with shape [41, 22]`],
    [
      "an unknown tensor",
      (tensors) => tensors.set("extra", { type: "U8", shape: [1], bytes: new Uint8Array(1) }),
      'tensor "extra" has no place in this model',
    ],
    [
      "another shape",
      (tensors) => tensors.set(name, { type: "F32", shape: [22, 41], bytes: bad(0) }),
      `tensor "${name}" has shape [22, 41], wanted is [41, 22]`,
    ],
    [
      "another vocabulary",
      (tensors) =>
        tensors.set("model.embed_tokens.weight", {
          type: "F32",
          shape: [38, 22],
          bytes: bytes(Array.from({ length: 38 * 22 }, () => 0)),
        }),
      'tensor "model.embed_tokens.weight" has shape [38, 22], wanted is [37, 22]',
    ],
    [
      "whole numbers",
      (tensors) => tensors.set(name, { type: "I32", shape: [41, 22], bytes: bad(0) }),
      `tensor "${name}" has element type I32, wanted is F32, BF16 or F16`,
    ],
    [
      "a NaN",
      (tensors) => tensors.set(name, { type: "F32", shape: [41, 22], bytes: bad(NaN) }),
      `tensor "${name}" holds NaN at [1, 3], wanted are finite numbers`,
    ],
    [
      "an infinity in bfloat16",
      (tensors) =>
        tensors.set("model.norm.weight", {
          type: "BF16",
          shape: [22],
          bytes: new Uint8Array(Uint16Array.from({ length: 22 }, (_, i) => (i === 9 ? 0xff80 : 0)).buffer),
        }),
      'tensor "model.norm.weight" holds -Infinity at [9]',
    ],
  ])("refuses %s with WEIGHTS_NOT_VALID naming file and tensor, and changes nothing", async (_, change, problem) => {
    const directory = folder();
    const path = join(directory, "model.safetensors");
    await (await make()).save(directory);
    const tensors = new Map((await readSafetensors(path)).tensors);
    change(tensors);
    await writeSafetensors(path, tensors);
    const { code, message } = await refusal(directory);
    expect(code).toBe("WEIGHTS_NOT_VALID");
    expect(message).toContain(problem);
    expect(message).toContain(directory);
  });

  it("refuses a config of another shape, or of a kind that the engine does not have", async () => {
    const directory = folder();
    await (await make()).save(directory);
    const path = join(directory, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...config, rope_theta: 5 }));
    expect(await refusal(directory)).toEqual({
      code: "WEIGHTS_NOT_VALID",
      message: `Cannot load weights from "${path}": it tells of ropeTheta 5, the engine has 1000`,
    });
    writeFileSync(path, JSON.stringify({ ...config, architectures: ["MambaForCausalLM"] }));
    expect(await refusal(directory)).toMatchObject({ code: "MODEL_CONFIG_NOT_VALID" });
  });

  it("refuses a file that is cut short, and a missing one, with TENSOR_FILE_NOT_VALID", async () => {
    const directory = folder();
    await (await make()).save(directory);
    const path = join(directory, "model.safetensors");
    truncateSync(path, 30_000);
    const { code, message } = await refusal(directory);
    expect(code).toBe("TENSOR_FILE_NOT_VALID");
    expect(message).toMatch(/model\.safetensors": tensor "model\.[\w.]+" reaches past the end .* the file has 30000$/);
    rmSync(path);
    expect(await refusal(directory)).toEqual({
      code: "TENSOR_FILE_NOT_VALID",
      message: `Cannot use the tensor file "${path}": the file is missing`,
    });
  });

  it("refuses shards that lack a file or a tensor, naming both, and an index that is none", async () => {
    const directory = await shardedFolder();
    const { weight_map: places } = JSON.parse(readFileSync(join(directory, INDEX), "utf8"));
    const shard = join(directory, places[name]);
    const there = Object.keys(places).filter((other) => places[other] === places[name]);

    await writeSafetensors(shard, new Map());
    expect(await refusal(directory)).toEqual({
      code: "TENSOR_FILE_NOT_VALID",
      message: `Cannot use the tensor file "${shard}": tensor "${there[0]}" is missing, which ${INDEX} places there`,
    });
    rmSync(shard);
    expect(await refusal(directory)).toEqual({
      code: "TENSOR_FILE_NOT_VALID",
      message: `Cannot use the tensor file "${shard}": the file is missing, and ${INDEX} wants ${there.length} tensors from it, first "${there[0]}"`,
    });
    for (const [text, problem] of [
      ["{", "is not JSON"],
      ["{}", "weight_map: "],
      [JSON.stringify({ weight_map: { w: "../model.safetensors" } }), "a file name in the same folder is wanted"],
    ] as const) {
      writeFileSync(join(directory, INDEX), text);
      expect((await refusal(directory)).message).toContain(problem);
    }
  });
});

const PUBLISHED = fileURLToPath(new URL("../../../shared/data/models/verl-arithmetic-llama", import.meta.url));

describe.skipIf(!existsSync(PUBLISHED))("NativeEngine with a published checkpoint", () => {
  it("loads bfloat16 weights, scores as the reference does, and samples what its near-uniform weights say", async () => {
    const shape = readModelShape(PUBLISHED);
    const engine = await make(shape);
    const directory = folder();
    cpSync(PUBLISHED, directory, { recursive: true });
    await engine.load(directory);
    await engine.publish();
    const batch = randomBatch(shape, [9, 20]);
    const weights = new Map([...(await engine.weights())].map(([key, values]) => [key, Float64Array.from(values)]));
    const expected = runReferenceTransformer({ shape, weights, ...batch, temperature: 1 });
    const scores = await engine.score(batch.tokens_N, batch.offsets_S1, 1);
    expect(relativeGap(scores.logprobs_N, expected.logprobs_N)).toBeLessThan(1e-5);

    const requests = Array.from({ length: 64 }, (_, i) =>
      requestOf(i, { promptTokens: Int32Array.of(4, 5, 6), maxTokens: 16 }),
    );
    const completions = await engine.generate(requests);
    const entropies = completions.flatMap((completion) => [...completion.entropies]);
    for (const entropy of entropies) expect(Math.abs(entropy - Math.log(16))).toBeLessThan(0.1);
    const seen = new Set(completions.flatMap((completion) => [...completion.tokens]));
    expect(seen.size).toBe(16);
  });
});
