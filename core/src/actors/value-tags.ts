/**
 * How values are written as bytes. Numbers, strings, plain objects, arrays, buffers and views have tags of their own;
 * whatever else structured clone takes (Map, Date, Error, a cycle) is left to V8's serializer.
 */
export const Tag = {
  Undefined: 0,
  Null: 1,
  False: 2,
  True: 3,
  Int32: 4,
  Float64: 5,
  /** One byte a character, and one for the length. */
  ShortText: 6,
  Latin1: 7,
  Utf16: 8,
  Array: 9,
  Object: 10,
  Buffer: 11,
  View: 12,
  V8: 13,
  /** A plain object with the field names of the one before it at its depth; only its values follow. */
  SameFields: 14,
} as const;

/** Kinds of views, by the number that stands for each. A Buffer is a Uint8Array, as it is to structured clone. */
export const VIEWS: readonly (new (buffer: ArrayBuffer) => ArrayBufferView)[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];
