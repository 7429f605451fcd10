import { createReadStream } from "node:fs";
import type { JsonObject } from "../records/json.js";
import { readParquet } from "../store/parquet-rows.js";
import { readLines } from "../store/read-lines.js";
import { parseObject } from "./parse-object.js";

/** One row of a data file. */
export interface DataRecord {
  /** Line of JSON Lines, or row of Parquet; from 1. */
  readonly number: number;
  /** As it stands in a file of lines; of Parquet, as it would. */
  readonly text: string;
  /** Undefined where a line is no JSON object. */
  readonly value: JsonObject | undefined;
}

/**
 * The rows of a file, told by its name to be Parquet or else taken for JSON Lines. Memory does not grow with the file, but
 * for the row groups of Parquet.
 *
 * @throws LINES_UNREADABLE
 */
export async function* readRecords(path: string): AsyncGenerator<DataRecord, void> {
  if (path.endsWith(".parquet")) {
    for await (const { number, value } of readParquet(path)) yield { number, text: JSON.stringify(value), value };
    return;
  }
  for await (const { number, text } of readLines(createReadStream(path, { highWaterMark: 2 ** 18 }), path))
    yield { number, text, value: parseObject(text) };
}
