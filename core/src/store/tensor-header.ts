/** Bytes per element of the element types that a tensor file may hold. */
const ELEMENT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 } as const;

/** Element type of a tensor, by its name in the file format. */
export type TensorType = keyof typeof ELEMENT_BYTES;

/** What a header says of one tensor; its data are the bytes [begin, end) after the header. */
export interface TensorEntry {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Number of elements of a shape; 1 for a scalar's. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, one) => product * one, 1);
}

/** Bytes of a tensor's data. */
export function bytesOf({ type, shape }: { readonly type: TensorType; readonly shape: readonly number[] }): number {
  return elementsOf(shape) * ELEMENT_BYTES[type];
}

/**
 * The header of a file whose tensors lie one behind another in the given order, with its length before it.
 *
 *     8 bytes: header length, little-endian · header: JSON, name → dtype, shape, data_offsets · data
 */
export function formatHeader(
  tensors: Iterable<readonly [string, { readonly type: TensorType; readonly shape: readonly number[] }]>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: "pt", ...metadata } };
  let offset = 0;
  for (const [name, { type, shape }] of tensors) {
    const end = offset + bytesOf({ type, shape });
    header[name] = { dtype: type, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Data begins at a multiple of 8, so that other readers can map it.
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([prefix, padded]);
}

/**
 * Reads a header's JSON; entries come in the order of their data.
 *
 * @param fail makes the error that is thrown, from what is wrong
 */
export function parseHeader(
  header: Uint8Array,
  fail: (problem: string, cause?: unknown) => Error,
): { readonly entries: readonly TensorEntry[]; readonly metadata: Readonly<Record<string, string>> } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (cause) {
    throw fail("its header is not JSON", cause);
  }
  if (!isRecord(json)) throw fail("its header is not an object");
  const { __metadata__: notes, ...rest } = json;
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(isRecord(notes) ? notes : {})) metadata[key] = String(value);
  const entries = Object.entries(rest).map(([name, entry]): TensorEntry => {
    const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
    if (!isCounts(shape)) throw fail(`tensor "${name}" has no shape`);
    if (!isCounts(offsets) || offsets.length !== 2) throw fail(`tensor "${name}" has no data offsets`);
    if (!isTensorType(dtype)) throw fail(`tensor "${name}" has element type "${String(dtype)}"`);
    const [begin = 0, end = 0] = offsets;
    const expected = bytesOf({ type: dtype, shape });
    if (end - begin !== expected) throw fail(`tensor "${name}" has ${end - begin} bytes, its shape wants ${expected}`);
    return { name, type: dtype, shape, begin, end };
  });
  return { entries: entries.sort((a, b) => a.begin - b.begin), metadata };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

function isTensorType(value: unknown): value is TensorType {
  return typeof value === "string" && Object.hasOwn(ELEMENT_BYTES, value);
}
