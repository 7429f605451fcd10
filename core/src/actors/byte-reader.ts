import { deserialize } from "node:v8";
import { errors } from "../errors.js";
import { Tag, VIEWS } from "./value-tags.js";

/** Short texts repeat (field names, message types): the last one of each hash is kept and compared instead of made anew. */
const KNOWN_TEXTS: string[] = new Array<string>(1024).fill("");

/** Reads what a `ByteWriter` wrote. Reading past the end throws FRAME_NOT_VALID. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;
  /** Field names of the plain object that was read last, at each depth. */
  readonly #fields: (readonly string[])[] = [];

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw errors.frameNotValid({ problem: "it ends too early" });
    return value;
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#skip(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  float64(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  text(): string {
    const tag = this.byte();
    if (tag === Tag.ShortText) return this.#shortText(this.byte());
    const size = this.uint32();
    const start = this.#skip(size);
    if (tag === Tag.Latin1) return this.#bytes.toString("latin1", start, start + size);
    if (tag === Tag.Utf16) return this.#bytes.toString("utf16le", start, start + size);
    throw errors.frameNotValid({ problem: `a text has tag ${tag}` });
  }

  value(): unknown {
    return this.#value(0);
  }

  #value(depth: number): unknown {
    const tag = this.byte();
    switch (tag) {
      case Tag.Undefined:
        return undefined;
      case Tag.Null:
        return null;
      case Tag.False:
        return false;
      case Tag.True:
        return true;
      case Tag.Int32:
        return this.int32();
      case Tag.Float64:
        return this.float64();
      case Tag.ShortText:
      case Tag.Latin1:
      case Tag.Utf16:
        this.#at -= 1;
        return this.text();
      case Tag.Array:
        return this.#array(this.uint32(), depth);
      case Tag.Object:
        return this.#object(this.uint32(), depth);
      case Tag.SameFields:
        return this.#sameObject(depth);
      case Tag.Buffer:
        return this.#copy(this.uint32());
      case Tag.View: {
        const View = VIEWS[this.byte()];
        if (!View) throw errors.frameNotValid({ problem: "a view is of an unknown kind" });
        return new View(this.#copy(this.uint32()));
      }
      case Tag.V8: {
        const size = this.uint32();
        const start = this.#skip(size);
        return deserialize(this.#bytes.subarray(start, start + size));
      }
      default:
        throw errors.frameNotValid({ problem: `a value has tag ${tag}` });
    }
  }

  #array(length: number, depth: number): unknown[] {
    // Every entry takes a byte at least: a wrong length cannot ask for more memory than the frame has bytes.
    if (length > this.#bytes.length) throw errors.frameNotValid({ problem: `an array has ${length} entries` });
    const items: unknown[] = [];
    for (let index = 0; index < length; index += 1) items.push(this.#value(depth + 1));
    return items;
  }

  #object(count: number, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const keys: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const key = this.text();
      keys.push(key);
      setField(object, key, this.#value(depth + 1));
    }
    this.#fields[depth] = keys;
    return object;
  }

  #sameObject(depth: number): Record<string, unknown> {
    const keys = this.#fields[depth];
    if (!keys) throw errors.frameNotValid({ problem: "an object has the fields of one that is not there" });
    const object: Record<string, unknown> = {};
    for (const key of keys) setField(object, key, this.#value(depth + 1));
    return object;
  }

  #copy(size: number): ArrayBuffer {
    const start = this.#skip(size);
    const copy = new ArrayBuffer(size);
    new Uint8Array(copy).set(this.#bytes.subarray(start, start + size));
    return copy;
  }

  #shortText(length: number): string {
    const start = this.#skip(length);
    const bytes = this.#bytes;
    let hash = length;
    for (let index = start; index < start + length; index += 1) hash = (hash * 31 + (bytes[index] ?? 0)) | 0;
    const slot = hash & (KNOWN_TEXTS.length - 1);
    const known = KNOWN_TEXTS[slot] ?? "";
    if (known.length === length && this.#isText(known, start)) return known;
    const text = bytes.toString("latin1", start, start + length);
    KNOWN_TEXTS[slot] = text;
    return text;
  }

  #isText(text: string, start: number): boolean {
    for (let index = 0; index < text.length; index += 1)
      if (text.charCodeAt(index) !== this.#bytes[start + index]) return false;
    return true;
  }

  #skip(size: number): number {
    const start = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) throw errors.frameNotValid({ problem: "it ends too early" });
    return start;
  }
}

function setField(object: Record<string, unknown>, key: string, value: unknown): void {
  // Assigning this one name would change the object's prototype.
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}
