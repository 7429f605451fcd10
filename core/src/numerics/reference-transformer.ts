import type { ModelShape } from "../engines/policy-engine.js";
import { errors } from "../errors.js";
import {
  add,
  attention,
  chain,
  linear,
  lookUp,
  residual,
  rmsNorm,
  rotary,
  swiglu,
  type Operation,
  type Parameter,
} from "./differentiable.js";
import { rotaryFrequencies } from "./rotary-frequencies.js";
import { tokenLogprob, tokenLogprobBackward } from "./token-logprobs.js";

/** Weights and packed tokens of one pass. */
export interface ReferenceInput {
  readonly shape: ModelShape;
  /** By Hugging Face name; matrices have shape [outputs, inputs], row-major. */
  readonly weights: ReadonlyMap<string, Float64Array>;
  readonly tokens_N: ArrayLike<number>;
  /** Sequence s is [offsets_S1[s], offsets_S1[s + 1]); positions start at 0 in each. */
  readonly offsets_S1: ArrayLike<number>;
  /** Logits are divided by it before every logprob and entropy. */
  readonly temperature: number;
}

/** What a forward pass found, and the way back. */
export interface ReferencePass {
  /** Row n predicts the token after token n; not divided by the temperature. Shape [N, V]. */
  readonly logits_NV: Float64Array;
  /** Logprob of each token given those before it, nats; 0 at each sequence's first token. */
  readonly logprobs_N: Float64Array;
  /** Entropy of the distribution that each token came from, nats; 0 at each sequence's first token. */
  readonly entropies_N: Float64Array;
  /** Gradient of each weight, by name, from the derivatives of a loss with respect to logprobs and entropies. Once per pass. */
  backward(dLogprobs_N: ArrayLike<number>, dEntropies_N: ArrayLike<number>): Map<string, Float64Array>;
}

/**
 * A decoder-only transformer in the Qwen3 manner, forward and backward, as plain loops in float64: the truth that native
 * engines are compared with.
 *
 *     x = embed(token);  per layer:  x += o(attention(rotary(norm(q(h))), rotary(norm(k(h))), v(h))),  h = norm(x)
 *                                    x += down(silu(gate(h)) · up(h)),                                 h = norm(x)
 *     logits = head(norm(x))
 *
 * Norms of q and k are per head and present when `shape.qkNorm`; q, k and v have biases when `shape.qkvBias`; the head is
 * the embedding when `shape.tieEmbeddings`. Covers Qwen3, Qwen2 and Llama. Its time grows with weights × tokens and with
 * the square of the sequence length: for models of a few thousand weights.
 *
 * @throws TENSOR_MISSING, LENGTH_MISMATCH
 */
export function runReferenceTransformer(input: ReferenceInput): ReferencePass {
  const { shape, tokens_N, offsets_S1, temperature } = input;
  const { hiddenSize, vocabSize } = shape;
  const parameters = new Map<string, Parameter>();
  const parameter = (name: string, ...dimensions: readonly number[]): Parameter => {
    const known = parameters.get(name);
    if (known) return known;
    const values = input.weights.get(name);
    if (!values) throw errors.tensorMissing({ name });
    const expected = dimensions.reduce((product, dimension) => product * dimension, 1);
    if (values.length !== expected) {
      throw errors.lengthMismatch({ action: "run the transformer", name, length: values.length, expected });
    }
    const made = { values, gradient: new Float64Array(values.length) };
    parameters.set(name, made);
    return made;
  };

  const table = parameter("model.embed_tokens.weight", vocabSize, hiddenSize);
  const head = shape.tieEmbeddings ? table : parameter("lm_head.weight", vocabSize, hiddenSize);
  const layers = Array.from({ length: shape.layers }, (_, l) =>
    layerOf(shape, offsets_S1, (name, ...dimensions) => parameter(`model.layers.${l}.${name}`, ...dimensions)),
  );
  const finalNorm = rmsNorm(parameter("model.norm.weight", hiddenSize), shape.rmsNormEpsilon);
  const embedded = lookUp(table, tokens_N, hiddenSize);
  const network = chain(...layers, finalNorm, linear(head, hiddenSize))(embedded.output);
  const logits_NV = network.output;
  const logitsBefore = (n: number) => logits_NV.subarray((n - 1) * vocabSize, n * vocabSize);

  const logprobs_N = new Float64Array(tokens_N.length);
  const entropies_N = new Float64Array(tokens_N.length);
  for (const n of predictedTokens(offsets_S1)) {
    const { logprob, entropy } = tokenLogprob(logitsBefore(n), tokens_N[n]!, temperature);
    logprobs_N[n] = logprob;
    entropies_N[n] = entropy;
  }
  return {
    logits_NV,
    logprobs_N,
    entropies_N,
    backward(dLogprobs_N, dEntropies_N) {
      const dLogits_NV = new Float64Array(logits_NV.length);
      for (const n of predictedTokens(offsets_S1)) {
        const d = tokenLogprobBackward(logitsBefore(n), tokens_N[n]!, temperature, dLogprobs_N[n]!, dEntropies_N[n]!);
        dLogits_NV.set(d, (n - 1) * vocabSize);
      }
      embedded.backward(network.backward(dLogits_NV));
      return new Map(Array.from(parameters, ([name, { gradient }]) => [name, gradient]));
    },
  };
}

type ParameterOf = (name: string, ...dimensions: readonly number[]) => Parameter;

/** One layer: attention, then the gated feed-forward part, each on a normed copy that is added to the stream. */
function layerOf(shape: ModelShape, offsets_S1: ArrayLike<number>, parameter: ParameterOf): Operation {
  const { hiddenSize } = shape;
  const norm = (name: string) => rmsNorm(parameter(`${name}.weight`, hiddenSize), shape.rmsNormEpsilon);
  return chain(
    residual(chain(norm("input_layernorm"), attentionOf(shape, offsets_S1, parameter))),
    residual(chain(norm("post_attention_layernorm"), feedForwardOf(shape, parameter))),
  );
}

function attentionOf(shape: ModelShape, offsets_S1: ArrayLike<number>, parameter: ParameterOf): Operation {
  const { hiddenSize, heads, kvHeads, headSize } = shape;
  const project = (name: string, outputs: number) =>
    linear(
      parameter(`self_attn.${name}_proj.weight`, outputs, hiddenSize),
      hiddenSize,
      shape.qkvBias ? parameter(`self_attn.${name}_proj.bias`, outputs) : undefined,
    );
  const position = (name: string) => [
    ...(shape.qkNorm ? [rmsNorm(parameter(`self_attn.${name}_norm.weight`, headSize), shape.rmsNormEpsilon)] : []),
    rotary(positionsOf(offsets_S1), rotaryFrequencies(shape)),
  ];
  const query = chain(project("q", heads * headSize), ...position("q"));
  const key = chain(project("k", kvHeads * headSize), ...position("k"));
  const value = project("v", kvHeads * headSize);
  const out = linear(parameter("self_attn.o_proj.weight", hiddenSize, heads * headSize), heads * headSize);
  return (hidden) => {
    const [q, k, v] = [query(hidden), key(hidden), value(hidden)];
    const mixed = attention(q.output, k.output, v.output, { offsets_S1, heads, kvHeads, headSize });
    const projected = out(mixed.output);
    return {
      output: projected.output,
      backward: (dOutput) => {
        const { dq, dk, dv } = mixed.backward(projected.backward(dOutput));
        return add(q.backward(dq), k.backward(dk), v.backward(dv));
      },
    };
  };
}

function feedForwardOf(shape: ModelShape, parameter: ParameterOf): Operation {
  const { hiddenSize, intermediateSize } = shape;
  const gate = linear(parameter("mlp.gate_proj.weight", intermediateSize, hiddenSize), hiddenSize);
  const up = linear(parameter("mlp.up_proj.weight", intermediateSize, hiddenSize), hiddenSize);
  const down = linear(parameter("mlp.down_proj.weight", hiddenSize, intermediateSize), intermediateSize);
  return (hidden) => {
    const [g, u] = [gate(hidden), up(hidden)];
    const gated = swiglu(g.output, u.output);
    const projected = down(gated.output);
    return {
      output: projected.output,
      backward: (dOutput) => {
        const { dGate, dUp } = gated.backward(projected.backward(dOutput));
        return add(g.backward(dGate), u.backward(dUp));
      },
    };
  };
}

/** Index of each token within its sequence. */
function positionsOf(offsets_S1: ArrayLike<number>): Int32Array {
  const positions_N = new Int32Array(offsets_S1[offsets_S1.length - 1] ?? 0);
  for (let s = 0; s + 1 < offsets_S1.length; s++) {
    for (let n = offsets_S1[s]!; n < offsets_S1[s + 1]!; n++) positions_N[n] = n - offsets_S1[s]!;
  }
  return positions_N;
}

/** Every token but the first of each sequence, which nothing predicts. */
function predictedTokens(offsets_S1: ArrayLike<number>): number[] {
  const tokens: number[] = [];
  for (let s = 0; s + 1 < offsets_S1.length; s++) {
    for (let n = offsets_S1[s]! + 1; n < offsets_S1[s + 1]!; n++) tokens.push(n);
  }
  return tokens;
}
