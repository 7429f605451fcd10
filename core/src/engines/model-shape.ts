import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { errors } from "../errors.js";
import type { ModelShape, RopeScaling } from "./policy-engine.js";

const count = z.int().positive();
const positive = z.number().positive();

/** Fields that would change the computation in a way that the engines do not have, with the one value they may have. */
const fixed = {
  hidden_act: z.literal("silu").default("silu"),
  mlp_bias: z.literal(false).optional(),
  use_sliding_window: z.literal(false).optional(),
  layer_types: z.array(z.literal("full_attention")).nullish(),
  partial_rotary_factor: z.literal(1).optional(),
  quantization_config: z.null().optional(),
};

const rope = z.looseObject({
  rope_theta: positive.optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
});

const llama3 = z.looseObject({
  factor: z.number().min(1),
  low_freq_factor: positive,
  high_freq_factor: positive,
  original_max_position_embeddings: count,
});

const hubConfig = z.looseObject({
  architectures: z.array(z.string()).min(1),
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  intermediate_size: count,
  max_position_embeddings: count,
  rope_theta: positive.optional(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
  rms_norm_eps: positive.default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().optional(),
  ...fixed,
});

type HubConfig = z.output<typeof hubConfig>;

const FAMILIES = [
  { family: "Qwen3", qkNorm: true, qkvBias: false },
  { family: "Qwen2", qkNorm: false, qkvBias: true },
  { family: "Llama", qkNorm: false, qkvBias: false },
] as const;

/** What stands behind the family's name in `architectures`: a policy samples, a reward model gives scores. */
const PURPOSES = { policy: "ForCausalLM", reward: "ForSequenceClassification" } as const;

/** What transformers takes for a Qwen3 whose config does not say. */
const QWEN3_HEAD_SIZE = 128;

/**
 * Reads the shape of a policy from `config.json` in Hugging Face layout.
 *
 * @param tokens ids that the tokenizer can make: the vocabulary must hold them
 * @param purpose "reward" for a model that gives scores
 * @throws MODEL_CONFIG_NOT_VALID naming the file, the field, what was found and what is wanted
 */
export function readModelShape(directory: string, tokens = 0, purpose: keyof typeof PURPOSES = "policy"): ModelShape {
  const path = join(directory, "config.json");
  const fail = (problem: string, cause?: unknown) => errors.modelConfigNotValid({ path, problem }, cause);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw fail(String(cause), cause);
  }
  const parsed = hubConfig.safeParse(json, { reportInput: true });
  if (!parsed.success) throw fail(describeIssues(parsed.error));
  const config = parsed.data;
  const architecture = config.architectures[0] ?? "";
  const names = FAMILIES.map(({ family }) => `${family}${PURPOSES[purpose]}`);
  const kind = FAMILIES[names.indexOf(architecture)];
  if (!kind) throw fail(`architecture "${architecture}" is not one of ${names.join(", ")}`);
  if (config.vocab_size < tokens)
    throw fail(`vocab_size ${config.vocab_size} is smaller than the tokenizer's ${tokens} ids`);
  if (config.attention_bias === true && !kind.qkvBias)
    throw fail("attention_bias is true, wanted is false: of these architectures only Qwen2 has biases");
  const headSize = config.head_dim ?? (kind.qkNorm ? QWEN3_HEAD_SIZE : config.hidden_size / config.num_attention_heads);
  if (!Number.isInteger(headSize))
    throw fail(
      `hidden_size ${config.hidden_size} is no multiple of num_attention_heads ${config.num_attention_heads}, and head_dim is not given`,
    );
  const ropeScaling = scalingOf(config, fail);
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headSize,
    intermediateSize: config.intermediate_size,
    maxPositions: config.max_position_embeddings,
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000,
    ...(ropeScaling ? { ropeScaling } : {}),
    rmsNormEpsilon: config.rms_norm_eps,
    tieEmbeddings: config.tie_word_embeddings,
    qkNorm: kind.qkNorm,
    qkvBias: kind.qkvBias,
  };
}

/** The architecture of a policy's shape, as `config.json` names it. */
export function architectureOf({ qkNorm, qkvBias }: ModelShape): string {
  const { family } = FAMILIES.find((one) => one.qkNorm === qkNorm && one.qkvBias === qkvBias) ?? FAMILIES[2];
  return `${family}ForCausalLM`;
}

/** How many numbers a policy of a shape learns. */
export function parameterCount(shape: ModelShape): number {
  const { vocabSize, hiddenSize, layers, heads, kvHeads, headSize, intermediateSize } = shape;
  const [queries, keys] = [heads * headSize, kvHeads * headSize];
  const layer =
    2 * hiddenSize * queries +
    2 * hiddenSize * keys +
    3 * hiddenSize * intermediateSize +
    2 * hiddenSize +
    (shape.qkvBias ? queries + 2 * keys : 0) +
    (shape.qkNorm ? 2 * headSize : 0);
  return vocabSize * hiddenSize * (shape.tieEmbeddings ? 1 : 2) + layers * layer + hiddenSize;
}

/** `config.json` of a shape, in Hugging Face layout: what `readModelShape` reads and transformers loads. */
export function hubConfigOf(
  shape: ModelShape,
  elementType: "float32" | "bfloat16" = "float32",
): Record<string, unknown> {
  const scaling = shape.ropeScaling;
  return {
    architectures: [architectureOf(shape)],
    model_type: architectureOf(shape).replace("ForCausalLM", "").toLowerCase(),
    hidden_act: "silu",
    vocab_size: shape.vocabSize,
    hidden_size: shape.hiddenSize,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headSize,
    intermediate_size: shape.intermediateSize,
    max_position_embeddings: shape.maxPositions,
    rope_theta: shape.ropeTheta,
    rope_scaling: scaling
      ? {
          rope_type: "llama3",
          factor: scaling.factor,
          low_freq_factor: scaling.lowFrequencyFactor,
          high_freq_factor: scaling.highFrequencyFactor,
          original_max_position_embeddings: scaling.originalPositions,
        }
      : null,
    rms_norm_eps: shape.rmsNormEpsilon,
    tie_word_embeddings: shape.tieEmbeddings,
    attention_bias: shape.qkvBias,
    torch_dtype: elementType,
  };
}

/** Older folders say it in `rope_scaling`, those of transformers 5 in `rope_parameters`. */
function scalingOf(config: HubConfig, fail: (problem: string, cause?: unknown) => Error): RopeScaling | undefined {
  const name = config.rope_parameters ? "rope_parameters" : "rope_scaling";
  const given = config[name];
  const type = given?.rope_type ?? given?.type ?? "default";
  if (type === "default") return undefined;
  if (type !== "llama3") throw fail(`${name}: type "${type}" is not supported, wanted is "llama3" or none`);
  const parsed = llama3.safeParse(given, { reportInput: true });
  if (!parsed.success) throw fail(describeIssues(parsed.error, `${name}.`));
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = parsed.data;
  if (high_freq_factor <= low_freq_factor)
    throw fail(`${name}.high_freq_factor ${high_freq_factor} must be greater than low_freq_factor ${low_freq_factor}`);
  return {
    factor,
    lowFrequencyFactor: low_freq_factor,
    highFrequencyFactor: high_freq_factor,
    originalPositions: original_max_position_embeddings,
  };
}

function describeIssues(error: z.ZodError, prefix = ""): string {
  return error.issues
    .map(({ path, message, input }) => {
      const found = input === undefined ? "" : `, found ${JSON.stringify(input)}`;
      return `${prefix}${path.join(".")}: ${message}${found}`;
    })
    .join("; ");
}
