import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { errors } from "../errors.js";
import type { ModelShape } from "./policy-engine.js";

const count = z.int().positive();

const hubConfig = z.looseObject({
  architectures: z.array(z.string()).min(1),
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.optional(),
  head_dim: count.optional(),
  intermediate_size: count,
  max_position_embeddings: count,
  rope_theta: z.number().positive().default(10_000),
  rope_scaling: z.null().optional(),
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
});

const ARCHITECTURES: Readonly<Record<string, { readonly qkNorm: boolean; readonly qkvBias: boolean }>> = {
  Qwen3ForCausalLM: { qkNorm: true, qkvBias: false },
  Qwen2ForCausalLM: { qkNorm: false, qkvBias: true },
  LlamaForCausalLM: { qkNorm: false, qkvBias: false },
};

/**
 * Reads the shape of a policy from `config.json` in Hugging Face layout.
 *
 * @param tokens ids that the tokenizer can make: the vocabulary must hold them
 * @throws MODEL_CONFIG_NOT_VALID naming the file, the field and what is wanted
 */
export function readModelShape(directory: string, tokens: number): ModelShape {
  const path = join(directory, "config.json");
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw errors.modelConfigNotValid({ path, problem: String(cause) }, cause);
  }
  const parsed = hubConfig.safeParse(json);
  if (!parsed.success) {
    const problem = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
    throw errors.modelConfigNotValid({ path, problem });
  }
  const config = parsed.data;
  const architecture = config.architectures[0] ?? "";
  const kind = ARCHITECTURES[architecture];
  if (!kind)
    throw errors.modelConfigNotValid({
      path,
      problem: `architecture "${architecture}" is not one of ${Object.keys(ARCHITECTURES).join(", ")}`,
    });
  if (config.vocab_size < tokens)
    throw errors.modelConfigNotValid({
      path,
      problem: `vocab_size ${config.vocab_size} is smaller than the tokenizer's ${tokens} ids`,
    });
  const headSize = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  if (!Number.isInteger(headSize))
    throw errors.modelConfigNotValid({
      path,
      problem: `hidden_size ${config.hidden_size} is no multiple of num_attention_heads ${config.num_attention_heads}, and head_dim is not given`,
    });
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headSize,
    intermediateSize: config.intermediate_size,
    maxPositions: config.max_position_embeddings,
    ropeTheta: config.rope_theta,
    rmsNormEpsilon: config.rms_norm_eps,
    tieEmbeddings: config.tie_word_embeddings,
    ...kind,
  };
}
