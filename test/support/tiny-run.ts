import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { JsonObject } from "../../core/src/records/json.js";

// By the package's name, as this file runs from dist too.
const examples = createRequire(import.meta.url).resolve("@troupe/examples/package.json");
const tokenizer = join(dirname(examples), "policies", "tiny");

/** Hugging Face config of a policy that samples and learns in milliseconds. */
export const TINY_POLICY = {
  architectures: ["Qwen3ForCausalLM"],
  vocab_size: 298,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  intermediate_size: 64,
  max_position_embeddings: 256,
  tie_word_embeddings: true,
} as const satisfies JsonObject;

/**
 * A run of seconds. The teacher gets the policy so far that a third of its answers are right: groups are mixed, so
 * every step has something to learn, and now and then one has to be sampled again.
 */
export const TINY_RUN = {
  name: "tiny",
  seed: 7,
  policy: { from: "./policy" },
  environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 2, modulus: 3, evalTasks: 12 } },
  plugins: ["dapo"],
  distill: { tokens: 100_000, batchTokens: 512, learningRate: 0.005 },
  train: { steps: 12, promptsPerStep: 4, groupSize: 4, learningRate: 0.001 },
  rollout: { maxTokens: 40 },
  eval: { every: 4, tasks: 12 },
  store: { checkpointEvery: 3 },
} as const satisfies JsonObject;

/** Writes `policy/` without weights: config and tokenizer. */
export function writeTinyPolicy(folder: string, changes: JsonObject = {}): string {
  const policy = join(folder, "policy");
  mkdirSync(policy, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(tokenizer, file), join(policy, file));
  writeFileSync(join(policy, "config.json"), JSON.stringify({ ...TINY_POLICY, ...changes }));
  return policy;
}

/** Writes a config file with its policy beside it, and gives its path. JSON is YAML too. */
export function writeTinyRun(folder: string, settings: JsonObject): string {
  writeTinyPolicy(folder);
  const file = join(folder, "run.yaml");
  writeFileSync(file, JSON.stringify(settings, null, 2));
  return file;
}
