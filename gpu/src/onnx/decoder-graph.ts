import { rotaryFrequencies, type ModelShape } from "@troupe/core/sdk";
import { Graph, type WeightPlace } from "./graph.js";

/** Finds the place of a weight by its Hugging Face name; sizes of 0 may be anything. */
export type PlaceOf = (name: string, shape: readonly number[]) => WeightPlace;

/** Names of the values by which a layer's keys and values go in and out. */
export function cacheNames(layer: number): Readonly<Record<"pastKey" | "pastValue" | "key" | "value", string>> {
  return {
    pastKey: `past_key_values.${layer}.key`,
    pastValue: `past_key_values.${layer}.value`,
    key: `present.${layer}.key`,
    value: `present.${layer}.value`,
  };
}

/**
 * The forward pass of a policy as an ONNX model, with a cache of keys and values; names as in other exporters' models.
 *
 *     input_ids, position_ids [batch, sequence] · attention_mask [batch, total], 1 for tokens and 0 for padding
 *     past_key_values.L.key, .value [batch, kvHeads, past, headSize]; total = past + sequence
 *     → logits [batch, sequence, vocabulary] · present.L.key, .value [batch, kvHeads, total, headSize]
 *
 * A reward model, which has `score.weight` in place of a head, gives scores [batch, sequence, labels] instead, and no
 * cache.
 */
export function decoderGraph(
  shape: ModelShape,
  placeOf: PlaceOf,
  options: { readonly isReward?: boolean } = {},
): Graph {
  const graph = new Graph();
  const decoder = new Decoder(graph, shape, placeOf, options.isReward === true);
  decoder.build();
  return graph;
}

class Decoder {
  readonly #graph: Graph;
  readonly #shape: ModelShape;
  readonly #placeOf: PlaceOf;
  readonly #isReward: boolean;
  /** Number of tokens in hand, one row each; sizes for reshaping. */
  readonly #sizes: { batch: string; sequence: string };
  readonly #cosine: string;
  readonly #sine: string;
  readonly #blocked: string;

  constructor(graph: Graph, shape: ModelShape, placeOf: PlaceOf, isReward: boolean) {
    this.#graph = graph;
    this.#shape = shape;
    this.#placeOf = placeOf;
    this.#isReward = isReward;
    const ids = graph.input("input_ids", "INT64", ["batch", "sequence"]);
    const mask = graph.input("attention_mask", "INT64", ["batch", "total"]);
    const positions = graph.input("position_ids", "INT64", ["batch", "sequence"]);
    const size = (of: string, axis: number) =>
      graph.op("Slice", [
        graph.op("Shape", [of]),
        graph.constant("INT64", [axis], [1]),
        graph.constant("INT64", [axis + 1], [1]),
      ]);
    this.#sizes = { batch: size(ids, 0), sequence: size(ids, 1) };

    // In float64, as float32 would turn late positions by a wrong angle.
    const half = shape.headSize / 2;
    const frequencies = graph.constant("DOUBLE", [...rotaryFrequencies(shape)], [half]);
    const angles = graph.op("Mul", [
      graph.op("Unsqueeze", [graph.op("Cast", [positions], { to: "DOUBLE" }), graph.constant("INT64", [1, 3], [2])]),
      frequencies,
    ]);
    this.#cosine = graph.op("Cast", [graph.op("Cos", [angles])], { to: "FLOAT" });
    this.#sine = graph.op("Cast", [graph.op("Sin", [angles])], { to: "FLOAT" });

    // A query may read keys up to its own place, unless they are padding: 1 where it may not.
    const total = graph.op("Squeeze", [size(mask, 1)]);
    const one = graph.constant("INT64", [1]);
    const zero = graph.constant("INT64", [0]);
    const keys = graph.op("Range", [zero, total, one]);
    const first = graph.op("Sub", [total, graph.op("Squeeze", [this.#sizes.sequence])]);
    const queries = graph.op("Unsqueeze", [graph.op("Range", [first, total, one]), graph.constant("INT64", [1], [1])]);
    const isPadding = graph.op("Unsqueeze", [graph.op("Equal", [mask, zero]), graph.constant("INT64", [1, 2, 3], [3])]);
    this.#blocked = graph.op("Or", [graph.op("Greater", [keys, queries]), isPadding]);
  }

  build(): void {
    const graph = this.#graph;
    const { hiddenSize, layers, vocabSize } = this.#shape;
    const ids = graph.op("Reshape", ["input_ids", graph.constant("INT64", [-1], [1])]);
    const embedding = this.#weight("model.embed_tokens.weight", [vocabSize, hiddenSize]);
    let rows = graph.op("Gather", [embedding, ids], { axis: 0 });
    for (let layer = 0; layer < layers; layer++) rows = this.#layer(layer, rows);
    const normed = this.#norm(rows, "model.norm.weight", hiddenSize);
    const output = this.#isReward ? this.#score(normed) : this.#logits(normed, embedding);
    graph.output(output.name, "FLOAT", ["batch", "sequence", output.size]);
  }

  #logits(rows: string, embedding: string): { readonly name: string; readonly size: number } {
    const { hiddenSize, vocabSize: size, tieEmbeddings } = this.#shape;
    const head = tieEmbeddings ? embedding : this.#weight("lm_head.weight", [size, hiddenSize]);
    return { name: this.#reshape(this.#graph.op("Gemm", [rows, head], { transB: 1 }), [size], "logits"), size };
  }

  #score(rows: string): { readonly name: string; readonly size: number } {
    const place = this.#placeOf("score.weight", [0, this.#shape.hiddenSize]);
    const head = this.#graph.weight("score.weight", place);
    const size = place.shape[0] ?? 1;
    return { name: this.#reshape(this.#graph.op("Gemm", [rows, head], { transB: 1 }), [size], "scores"), size };
  }

  #layer(layer: number, rows: string): string {
    const graph = this.#graph;
    const { hiddenSize, intermediateSize } = this.#shape;
    const prefix = `model.layers.${layer}`;
    const normed = this.#norm(rows, `${prefix}.input_layernorm.weight`, hiddenSize);
    const middle = graph.op("Add", [rows, this.#attention(layer, normed)]);
    const inner = this.#norm(middle, `${prefix}.post_attention_layernorm.weight`, hiddenSize);
    const gate = this.#linear(inner, `${prefix}.mlp.gate_proj`, [intermediateSize, hiddenSize]);
    const up = this.#linear(inner, `${prefix}.mlp.up_proj`, [intermediateSize, hiddenSize]);
    const gated = graph.op("Mul", [graph.op("Mul", [gate, graph.op("Sigmoid", [gate])]), up]);
    return graph.op("Add", [middle, this.#linear(gated, `${prefix}.mlp.down_proj`, [hiddenSize, intermediateSize])]);
  }

  #attention(layer: number, rows: string): string {
    const graph = this.#graph;
    const { hiddenSize, heads, kvHeads, headSize, qkNorm, qkvBias } = this.#shape;
    const prefix = `model.layers.${layer}.self_attn`;
    /** A projection as [batch, heads, sequence, headSize]. */
    const project = (name: "q" | "k" | "v", count: number) => {
      let split = this.#reshape(this.#linear(rows, `${prefix}.${name}_proj`, [count * headSize, hiddenSize], qkvBias), [
        count,
        headSize,
      ]);
      if (qkNorm && name !== "v") split = this.#norm(split, `${prefix}.${name}_norm.weight`, headSize);
      return graph.op("Transpose", [split], { perm: [0, 2, 1, 3] });
    };
    const query = this.#rotate(project("q", heads));
    const names = cacheNames(layer);
    const extend = (now: string, past: string, present: string) => {
      if (this.#isReward) return now;
      graph.input(past, "FLOAT", ["batch", kvHeads, "past", headSize]);
      const all = graph.op("Concat", [past, now], { axis: 2 }, present);
      graph.output(all, "FLOAT", ["batch", kvHeads, "total", headSize]);
      return all;
    };
    const key = extend(this.#rotate(project("k", kvHeads)), names.pastKey, names.key);
    const value = extend(project("v", kvHeads), names.pastValue, names.value);

    // Query heads of one key head stand together, so each key head is multiplied with all of them at once.
    const group = heads / kvHeads;
    const grouped = graph.op("Reshape", [
      query,
      this.#join([this.#sizes.batch, [kvHeads, group], this.#sizes.sequence, [headSize]]),
    ]);
    const scaled = graph.op("Mul", [grouped, graph.constant("FLOAT", [1 / Math.sqrt(headSize)])]);
    const spread = (values: string) => graph.op("Unsqueeze", [values, graph.constant("INT64", [2], [1])]);
    const turned = graph.op("Transpose", [key], { perm: [0, 1, 3, 2] });
    const scores = graph.op("MatMul", [scaled, spread(turned)]);
    // Far below any score, so its weight is 0; rows of padding, all blocked, stay finite.
    const allowed = graph.op("Where", [this.#blocked, graph.constant("FLOAT", [-1e30]), scores]);
    const mixed = graph.op("MatMul", [graph.op("Softmax", [allowed], { axis: -1 }), spread(value)]);
    const together = graph.op("Reshape", [
      graph.op("Transpose", [mixed], { perm: [0, 3, 1, 2, 4] }),
      graph.constant("INT64", [-1, heads * headSize], [2]),
    ]);
    return this.#linear(together, `${prefix}.o_proj`, [hiddenSize, heads * headSize]);
  }

  /** Turns pairs (i, i + headSize / 2) of every head by its token's angle. */
  #rotate(values: string): string {
    const graph = this.#graph;
    const [left = "", right = ""] = graph.ops("Split", [values], { axis: -1 }, graph.names("Split", 2));
    const product = (half: string, by: string) => graph.op("Mul", [half, by]);
    return graph.op(
      "Concat",
      [
        graph.op("Sub", [product(left, this.#cosine), product(right, this.#sine)]),
        graph.op("Add", [product(right, this.#cosine), product(left, this.#sine)]),
      ],
      { axis: -1 },
    );
  }

  /** x / √(mean(x²) + ε) · weight, over the last axis. */
  #norm(values: string, weight: string, size: number): string {
    const graph = this.#graph;
    const mean = graph.op("ReduceMean", [graph.op("Mul", [values, values])], { axes: [-1], keepdims: 1 });
    const epsilon = graph.constant("FLOAT", [this.#shape.rmsNormEpsilon]);
    const scaled = graph.op("Div", [values, graph.op("Sqrt", [graph.op("Add", [mean, epsilon])])]);
    return graph.op("Mul", [scaled, this.#weight(weight, [size])]);
  }

  #linear(rows: string, name: string, shape: readonly [number, number], hasBias = false): string {
    const bias = hasBias ? [this.#weight(`${name}.bias`, [shape[0]])] : [];
    return this.#graph.op("Gemm", [rows, this.#weight(`${name}.weight`, shape), ...bias], { transB: 1 });
  }

  /** Rows [batch · sequence, …] as [batch, sequence, …sizes]. */
  #reshape(rows: string, sizes: readonly number[], output?: string): string {
    const to = this.#join([this.#sizes.batch, this.#sizes.sequence, sizes]);
    return output === undefined
      ? this.#graph.op("Reshape", [rows, to])
      : this.#graph.op("Reshape", [rows, to], {}, output);
  }

  #join(sizes: readonly (string | readonly number[])[]): string {
    const parts = sizes.map((size) =>
      typeof size === "string" ? size : this.#graph.constant("INT64", size, [size.length]),
    );
    return this.#graph.op("Concat", parts, { axis: 0 });
  }

  #weight(name: string, shape: readonly number[]): string {
    return this.#graph.weight(name, this.#placeOf(name, shape));
  }
}
