import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { errors } from "../errors.js";
import type { JsonObject, JsonValue } from "../records/json.js";

/** One row of a Parquet file. */
export interface ParquetRow {
  /** From 1. */
  readonly number: number;
  /**
   * By column, as JSON has it: whole numbers beyond 2^53 and times are text, NaN and infinities null. Columns of the first
   * row that were not asked for are there and undefined, so that an error can name what the file has.
   */
  readonly value: JsonObject;
}

/**
 * The rows of a Parquet file in order, one row group at a time: memory grows with the largest group, not with the file.
 * Compressed by Snappy, GZIP, Brotli or Zstandard, or not at all.
 *
 * @param columns the only columns read, of those that the file has; all unless given
 * @throws LINES_UNREADABLE when the file cannot be read, or is cut or broken
 */
export async function* readParquet(path: string, columns?: readonly string[]): AsyncGenerator<ParquetRow, void> {
  // Loaded when there is such a file: most have lines.
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const { decompress: unzstd } = await import("fzstd");
  const compressors = {
    GZIP: (bytes: Uint8Array) => gunzipSync(bytes),
    BROTLI: (bytes: Uint8Array) => brotliDecompressSync(bytes),
    ZSTD: (bytes: Uint8Array, size: number) => unzstd(bytes, new Uint8Array(size)),
  };
  const reading = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw errors.linesUnreadable({ source: path, problem }, cause);
    }
  };
  const file = await reading(() => asyncBufferFromFile(path));
  const metadata = await reading(() => parquetMetadataAsync(file));
  // The first entry is the table itself; those of depth 1 are its columns, and only they have a say in what is read.
  const names = columnsOf(metadata.schema);
  const wanted = columns === undefined ? names : names.filter((name) => columns.includes(name));
  let rowStart = 0;
  for (const { num_rows: rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(rows);
    const start = rowStart;
    const found = await reading(() =>
      parquetReadObjects({ file, metadata, columns: [...wanted], rowStart: start, rowEnd, compressors }),
    );
    for (const [index, value] of found.entries()) {
      const number = rowStart + index + 1;
      const read = number === 1 ? names : wanted;
      // What was not read is undefined, as in a line without the field.
      const row = read.map((name) => [name, name in value ? jsonOf(value[name]) : undefined] as const);
      // As above; the type of records has no word for it.
      yield { number, value: Object.fromEntries(row) as JsonObject };
    }
    rowStart = rowEnd;
  }
}

/** A schema lists its tree depth first; `num_children` says how many of the next entries lie below one. */
function columnsOf(schema: readonly { readonly name: string; readonly num_children?: number }[]): readonly string[] {
  const names: string[] = [];
  const skip = (at: number): number => {
    let next = at + 1;
    for (let child = 0; child < (schema[at]?.num_children ?? 0); child++) next = skip(next);
    return next;
  };
  for (let at = 1; at < schema.length; at = skip(at)) names.push(schema[at]?.name ?? "");
  return names;
}

function jsonOf(value: unknown): JsonValue {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  // A view that is no DataView has elements by their place, as a list has.
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, jsonOf);
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, jsonOf(held)]));
}
