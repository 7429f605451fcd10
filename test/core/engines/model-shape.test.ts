import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readModelShape } from "../../../core/src/engines/model-shape.js";
import type { JsonObject } from "../../../core/src/records/json.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { TINY_POLICY, writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const path = join(folder, "policy", "config.json");

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

  test("derives head size and key-value heads where they are not given", () => {
    const { head_dim: _head, num_key_value_heads: _kv, ...rest } = TINY_POLICY;
    writeTinyPolicy(folder);
    writeFileSync(path, JSON.stringify(rest));
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
    ["scaled positions", { rope_scaling: { type: "yarn" } }, "rope_scaling: "],
    ["another activation", { hidden_act: "gelu" }, "hidden_act: "],
    [
      "several problems",
      { hidden_size: 0, num_hidden_layers: "two" },
      "hidden_size: Too small: expected number to be >0; num_hidden_layers: Invalid input",
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
    writeFileSync(path, JSON.stringify({ ...rest, hidden_size: 33 }));
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
