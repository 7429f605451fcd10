import type { TensorType } from "@troupe/core/sdk";
import { Message } from "./protobuf.js";

/** Numbers of element types in ONNX's TensorProto. */
const ELEMENT = { FLOAT: 1, INT32: 6, INT64: 7, BOOL: 9, FLOAT16: 10, DOUBLE: 11, BFLOAT16: 16 } as const;

/** Element type of a value in a graph. */
export type GraphType = keyof typeof ELEMENT;

/** Element types of weights that a graph can take. */
const WEIGHT_TYPES: Partial<Readonly<Record<TensorType, GraphType>>> = {
  F32: "FLOAT",
  F16: "FLOAT16",
  BF16: "BFLOAT16",
};

/** Sizes of a value; a text names a size that is known when the graph runs. */
export type GraphShape = readonly (number | string)[];

/** Where a weight lies: a piece of a file in the graph's folder. */
export interface WeightPlace {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly type: TensorType;
  readonly shape: readonly number[];
}

/** An attribute of an operation: whole numbers, one or several, or the element type to cast to. */
type Attributes = Readonly<Record<string, number | readonly number[] | GraphType>>;

// Field numbers and attribute types are those of onnx.proto.
const [INT_ATTRIBUTE, INTS_ATTRIBUTE] = [2, 7];
const IR_VERSION = 8;
const OPSET = 17;

/** Builds an ONNX model whose weights stay in the files where they are. Values are known by their names. */
export class Graph {
  readonly #nodes: Message[] = [];
  readonly #initializers: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  #names = 0;

  input(name: string, type: GraphType, shape: GraphShape): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: GraphType, shape: GraphShape): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A constant of the graph, in the file itself. */
  constant(type: "FLOAT" | "DOUBLE" | "INT64", values: readonly number[], shape: readonly number[] = []): string {
    const name = this.#name("constant");
    const bytes =
      type === "INT64"
        ? BigInt64Array.from(values, BigInt).buffer
        : (type === "FLOAT" ? Float32Array : Float64Array).from(values).buffer;
    const tensor = new Message();
    for (const size of shape) tensor.integer(1, size);
    tensor.integer(2, ELEMENT[type]).string(8, name).bytes(9, new Uint8Array(bytes));
    this.#initializers.push(tensor);
    return name;
  }

  /** A weight as float32; its bytes stay in the file that has them. */
  weight(name: string, place: WeightPlace): string {
    const type = WEIGHT_TYPES[place.type] ?? "FLOAT";
    const tensor = new Message();
    for (const size of place.shape) tensor.integer(1, size);
    tensor.integer(2, ELEMENT[type]).string(8, name);
    for (const [key, value] of [
      ["location", place.file],
      ["offset", String(place.offset)],
      ["length", String(place.length)],
    ] as const) {
      tensor.message(13, new Message().string(1, key).string(2, value));
    }
    // Data location: external.
    tensor.integer(14, 1);
    this.#initializers.push(tensor);
    // The runtime folds the conversion when it loads the model.
    return type === "FLOAT" ? name : this.op("Cast", [name], { to: "FLOAT" });
  }

  /** An operation with one output, under a name of its own unless one is given. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}, output = this.#name(type)): string {
    return this.ops(type, inputs, attributes, [output])[0] ?? output;
  }

  /** An operation with several outputs. */
  ops(type: string, inputs: readonly string[], attributes: Attributes, outputs: readonly string[]): readonly string[] {
    const node = new Message();
    for (const name of inputs) node.string(1, name);
    for (const name of outputs) node.string(2, name);
    node.string(3, `${type}/${this.#nodes.length}`).string(4, type);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.#nodes.push(node);
    return outputs;
  }

  /** Fresh names, for `ops`. */
  names(kind: string, count: number): readonly string[] {
    return Array.from({ length: count }, () => this.#name(kind));
  }

  /** The whole file. */
  encode(producer: string): Uint8Array {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.string(2, "troupe");
    for (const tensor of this.#initializers) graph.message(5, tensor);
    for (const value of this.#inputs) graph.message(11, value);
    for (const value of this.#outputs) graph.message(12, value);
    return new Message()
      .integer(1, IR_VERSION)
      .string(2, producer)
      .message(7, graph)
      .message(8, new Message().string(1, "").integer(2, OPSET))
      .encode();
  }

  #name(kind: string): string {
    return `${kind}_${this.#names++}`;
  }
}

function attribute(name: string, value: Attributes[string]): Message {
  const message = new Message().string(1, name);
  if (typeof value === "object") {
    for (const one of value) message.integer(8, one);
    return message.integer(20, INTS_ATTRIBUTE);
  }
  return message.integer(3, typeof value === "string" ? ELEMENT[value] : value).integer(20, INT_ATTRIBUTE);
}

function valueInfo(name: string, type: GraphType, shape: GraphShape): Message {
  const sizes = new Message();
  for (const size of shape) {
    const dimension = new Message();
    sizes.message(1, typeof size === "number" ? dimension.integer(1, size) : dimension.string(2, size));
  }
  const tensor = new Message().integer(1, ELEMENT[type]).message(2, sizes);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}
