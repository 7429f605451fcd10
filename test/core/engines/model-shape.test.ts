import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hubConfigOf, readModelShape } from "../../../core/src/engines/model-shape.js";
import type { JsonObject } from "../../../core/src/records/json.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_POLICY, writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const path = join(folder, "policy", "config.json");

/** As Llama 3.1 and later have it. */
const STRETCHED = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};

function read(changes: JsonObject, tokens = 298): ReturnType<typeof readModelShape> {
  return readModelShape(writeTinyPolicy(folder, changes), tokens);
}

describe("readModelShape()", () => {
  test("reads a shape, with Hugging Face's defaults for what is absent", () => {
    expect(read({})).toEqual({
      vocabSize: 298,
      hiddenSize: 32,
      layers: 2,
      heads: 2,
      kvHeads: 1,
      headSize: 16,
      intermediateSize: 64,
      maxPositions: 256,
      ropeTheta: 10_000,
      rmsNormEpsilon: 1e-6,
      tieEmbeddings: true,
      qkNorm: true,
      qkvBias: false,
    });
  });

  test("knows what tells the architectures apart", () => {
    expect(read({ architectures: ["Qwen2ForCausalLM"] })).toMatchObject({ qkNorm: false, qkvBias: true });
    expect(read({ architectures: ["LlamaForCausalLM"] })).toMatchObject({ qkNorm: false, qkvBias: false });
  });

  test.each(["rope_scaling", "rope_parameters"])("reads stretched rotary frequencies from %s", (name) => {
    expect(read({ [name]: { ...STRETCHED, rope_theta: 7 }, rope_theta: 7 })).toMatchObject({
      ropeTheta: 7,
      ropeScaling: { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 64 },
    });
    expect(read({ [name]: { rope_type: "default", rope_theta: 9 }, rope_theta: 9 })).not.toHaveProperty("ropeScaling");
  });

  test("reads what hubConfigOf() wrote", () => {
    for (const changes of [
      {},
      { architectures: ["Qwen2ForCausalLM"], tie_word_embeddings: false },
      { architectures: ["LlamaForCausalLM"], rope_scaling: STRETCHED },
    ]) {
      const shape = read(changes);
      writeFileSync(path, JSON.stringify(hubConfigOf(shape)));
      expect(readModelShape(join(folder, "policy"))).toEqual(shape);
    }
  });

  test("derives head size and key-value heads where they are not given", () => {
    const { head_dim: _head, num_key_value_heads: _kv, ...rest } = TINY_POLICY;
    writeTinyPolicy(folder);
    writeFileSync(path, JSON.stringify(rest));
    // As transformers does: a Qwen3 that does not say has heads of 128.
    expect(readModelShape(join(folder, "policy"), 298)).toMatchObject({ headSize: 128, kvHeads: 2 });
    writeFileSync(path, JSON.stringify({ ...rest, architectures: ["LlamaForCausalLM"] }));
    expect(readModelShape(join(folder, "policy"), 298)).toMatchObject({ headSize: 16, kvHeads: 2 });
  });

  test.each<[string, JsonObject, string]>([
    [
      "an architecture that it does not know",
      { architectures: ["MambaForCausalLM"] },
      'architecture "MambaForCausalLM" is not one of Qwen3ForCausalLM, Qwen2ForCausalLM, LlamaForCausalLM',
    ],
    [
      "a vocabulary smaller than the tokenizer's",
      { vocab_size: 100 },
      "vocab_size 100 is smaller than the tokenizer's 298 ids",
    ],
    [
      "positions scaled in another way",
      { rope_scaling: { type: "yarn" } },
      'rope_scaling: type "yarn" is not supported, wanted is "llama3" or none',
    ],
    [
      "a scaling that lacks a field",
      { rope_scaling: { ...STRETCHED, factor: "8" } },
      "rope_scaling.factor: Invalid input: expected number",
    ],
    [
      "a scaling with its bands the wrong way round",
      { rope_parameters: { ...STRETCHED, high_freq_factor: 1 } },
      "rope_parameters.high_freq_factor 1 must be greater than low_freq_factor 1",
    ],
    ["another activation", { hidden_act: "gelu" }, 'hidden_act: Invalid input: expected "silu", found "gelu"'],
    ["sliding windows", { use_sliding_window: true }, "use_sliding_window: Invalid input: expected false, found true"],
    [
      "a layer with a sliding window",
      { layer_types: ["full_attention", "sliding_attention"] },
      'layer_types.1: Invalid input: expected "full_attention", found "sliding_attention"',
    ],
    ["quantised weights", { quantization_config: { bits: 4 } }, "quantization_config: "],
    ["biases that Qwen3 does not have here", { attention_bias: true }, "attention_bias is true, wanted is false"],
    [
      "several problems",
      { hidden_size: 0, num_hidden_layers: "two" },
      "hidden_size: Too small: expected number to be >0, found 0; num_hidden_layers: Invalid input",
    ],
  ])("refuses %s with MODEL_CONFIG_NOT_VALID", (_, changes, problem) => {
    expect(() => read(changes)).toThrow(
      expect.objectContaining({
        code: "MODEL_CONFIG_NOT_VALID",
        exitCode: 4,
        message: expect.stringContaining(`Cannot read the policy's shape from "${path}": ${problem}`),
      }),
    );
  });

  test("refuses a width that its heads do not share, when no head size is given", () => {
    const { head_dim: _, ...rest } = TINY_POLICY;
    writeTinyPolicy(folder);
    writeFileSync(path, JSON.stringify({ ...rest, hidden_size: 33, architectures: ["LlamaForCausalLM"] }));
    expect(() => readModelShape(join(folder, "policy"), 298)).toThrow(
      "hidden_size 33 is no multiple of num_attention_heads 2, and head_dim is not given",
    );
  });

  test("refuses a missing and a broken file with its path", () => {
    writeTinyPolicy(folder);
    writeFileSync(path, "{");
    expect(() => readModelShape(join(folder, "policy"), 1)).toThrow(/config\.json": SyntaxError: /);
    rmSync(path);
    expect(() => readModelShape(join(folder, "policy"), 1)).toThrow(/config\.json": Error: ENOENT/);
  });
});
