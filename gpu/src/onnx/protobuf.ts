/** Wire types of the Protocol Buffers encoding. */
const VARINT = 0;
const BYTES = 2;
const FLOAT = 5;

/**
 * Writes one Protocol Buffers message, field by field; enough of the encoding for ONNX files.
 *
 * @example
 * new Message().string(1, "x").integer(2, 300).encode(); // 0a 01 78 10 ac 02
 */
export class Message {
  readonly #parts: Uint8Array[] = [];

  /** A whole number, negative ones as 64-bit two's complement. */
  integer(field: number, value: number): this {
    this.#parts.push(key(field, VARINT), varint(BigInt(value)));
    return this;
  }

  float(field: number, value: number): this {
    this.#parts.push(key(field, FLOAT), new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(key(field, BYTES), varint(BigInt(value.length)), value);
    return this;
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.encode());
  }

  encode(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#parts));
  }
}

function key(field: number, wireType: number): Uint8Array {
  return varint(BigInt((field << 3) | wireType));
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}
