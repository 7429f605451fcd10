import { readParquet, TroupeError } from "@troupe/core/sdk";
import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { errors } from "../errors.js";

/** One row of a problem file, not checked yet. */
export interface Row {
  /** Line of a JSON Lines file, or row of a Parquet file; from 1. */
  readonly number: number;
  /** What the row holds; undefined where a line is no JSON. */
  readonly value: unknown;
  /** Where a line lies in its file; absent for Parquet. */
  readonly span?: Span;
}

/** Bytes [start, start + length) of a file. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

const NEWLINE = 0x0a;
/** A line of more bytes is taken for a file that is no JSON Lines. */
const MAX_LINE_BYTES = 32 * 2 ** 20;

/**
 * The rows of a file in order, told by its name to be JSON Lines or Parquet. Memory does not grow with the file, but
 * for the row groups of Parquet. Empty lines are passed over.
 *
 * @param columns the only columns read from Parquet, of those that the file has
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function* readRows(file: string, columns: readonly string[]): AsyncGenerator<Row> {
  const isParquet = file.endsWith(".parquet");
  if (!isParquet && !/\.(?:jsonl|ndjson)$/.test(file)) throw errors.problemFormatUnknown({ file });
  const rows: AsyncGenerator<Row, void> = isParquet ? readParquet(file, columns) : lineRows(file);
  for (;;) {
    let next: IteratorResult<Row, void>;
    try {
      next = await rows.next();
    } catch (cause) {
      throw unreadable(file, cause);
    }
    if (next.done === true) return;
    yield next.value;
  }
}

/** The row at a span that `readRows` gave. @throws PROBLEM_FILE_UNREADABLE */
export function readRowAt(file: string, { start, length }: Span): unknown {
  const bytes = Buffer.alloc(length);
  try {
    const descriptor = openSync(file, "r");
    try {
      readSync(descriptor, bytes, 0, length, start);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw unreadable(file, cause);
  }
  return parsed(bytes);
}

function unreadable(file: string, cause: unknown): TroupeError {
  // Of Parquet it is said already what is wrong; here it is a problem file's error like any other.
  if (cause instanceof TroupeError && cause.code === "LINES_UNREADABLE")
    return errors.problemFileUnreadable({ file, reason: String(cause.details["problem"]) }, cause);
  if (cause instanceof TroupeError) return cause;
  return errors.problemFileUnreadable({ file, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
}

async function* lineRows(file: string): AsyncGenerator<Row, void> {
  let number = 0;
  let start = 0;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const rowOf = (last: Buffer): Row | undefined => {
    const line = pending.length === 0 ? last : Buffer.concat([...pending, last]);
    const span = { start, length: line.length };
    number++;
    start += line.length + 1;
    pending = [];
    pendingBytes = 0;
    const isEmpty = line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
    return isEmpty ? undefined : { number, value: parsed(line), span };
  };
  for await (const data of createReadStream(file, { highWaterMark: 2 ** 18 })) {
    // Without an encoding a file stream gives buffers.
    const chunk = data as Buffer;
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const row = rowOf(chunk.subarray(from, end));
      if (row !== undefined) yield row;
      from = end + 1;
    }
    pending.push(chunk.subarray(from));
    pendingBytes += chunk.length - from;
    if (pendingBytes > MAX_LINE_BYTES) {
      throw errors.problemFileUnreadable({ file, reason: `line ${number + 1} has more than ${MAX_LINE_BYTES} bytes` });
    }
  }
  const row = pendingBytes > 0 ? rowOf(Buffer.alloc(0)) : undefined;
  if (row !== undefined) yield row;
}

function parsed(line: Buffer): unknown {
  try {
    // A byte order mark may stand before the first line.
    return JSON.parse(line.toString("utf8").replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}
