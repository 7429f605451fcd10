import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { EnvironmentContext, Split, TroupeError } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { readRows } from "../math/read-rows.js";
import type { Settings } from "./settings.js";
import { splitOf } from "./split.js";
import { workedDocuments } from "./worked-text.js";

/** A document: `text` is what is learned, `context` what comes before it. */
export interface Document {
  readonly id: string;
  readonly context: string;
  readonly text: string;
  /** What its maker knows of its tokens; absent for text from elsewhere. */
  readonly marks?: readonly Mark[];
}

/** A token worth teaching: a result with the steps that lead to it, or a choice of words with none. */
export interface Mark {
  /** Its first byte, in context and text together. */
  readonly at: number;
  readonly steps: readonly string[];
}

const TEXT_FILE = /\.(?:txt|md)$/;

/**
 * The documents of a split, in Unicode's NFC, as tokenizers that normalise give back no other bytes then.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN, PROBLEM_ROW_INVALID, PROBLEM_SET_EMPTY
 */
export async function documentsOf(
  settings: Settings,
  split: Split,
  { baseDirectory, seed }: EnvironmentContext,
): Promise<readonly Document[]> {
  const { data, heldOut } = settings;
  if (data === undefined) return workedDocuments(settings, split, seed);
  const path = resolve(baseDirectory, data.path);
  const documents: Document[] = [];
  let rows = 0;
  let skipped = 0;
  const onBadRow = (error: TroupeError): void => {
    if (data.onBadRow === "stop") throw error;
    skipped++;
  };
  for await (const document of isText(path) ? textFiles(path) : rowsOf(path, data.fields, onBadRow)) {
    rows++;
    if (splitOf(document.context || document.text, heldOut) === split) documents.push(document);
    if (rows >= (data.limit ?? Infinity)) break;
  }
  if (documents.length === 0) throw errors.problemSetEmpty({ file: path, split, rows: rows + skipped, skipped });
  return documents;
}

/** Whether a path is a text, or a folder of texts, rather than a file of rows. */
export function isText(path: string): boolean {
  return TEXT_FILE.test(path) || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A text file, or those of a folder by their names; each is a document. */
async function* textFiles(path: string): AsyncGenerator<Document> {
  let files: readonly string[] = [path];
  try {
    if (!TEXT_FILE.test(path))
      files = readdirSync(path)
        .filter((name) => TEXT_FILE.test(name))
        .toSorted()
        .map((name) => join(path, name));
    for (const file of files)
      yield { id: basename(file), context: "", text: readFileSync(file, "utf8").normalize("NFC") };
  } catch (cause) {
    throw errors.problemFileUnreadable({ file: path, reason: String(cause) }, cause);
  }
}

async function* rowsOf(
  file: string,
  fields: NonNullable<Settings["data"]>["fields"],
  onBadRow: (error: TroupeError) => void,
): AsyncGenerator<Document> {
  let goodRows = 0;
  const idField = fields.id ?? "id";
  for await (const { number: row, value } of readRows(file, [
    idField,
    fields.text,
    ...(fields.context ? [fields.context] : []),
  ])) {
    // A JSON object is a record of unknown values; of anything else no field is a text.
    const record = (typeof value === "object" && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
    const wrong = [fields.text, ...(fields.context ? [fields.context] : [])].find(
      (field) => typeof record[field] !== "string" || record[field] === "",
    );
    if (wrong !== undefined) {
      const found = record[wrong];
      onBadRow(
        errors.problemRowInvalid({
          file,
          row,
          field: wrong,
          found:
            found === undefined
              ? "is missing"
              : found === ""
                ? "is empty"
                : `is ${JSON.stringify(found)?.slice(0, 40)}`,
          wanted: "text",
          goodRows,
          settings: "text, context, id",
        }),
      );
      continue;
    }
    goodRows++;
    const id = record[idField];
    yield {
      id: typeof id === "string" || typeof id === "number" ? String(id) : `${basename(file)}:${row}`,
      context: fields.context === undefined ? "" : `${String(record[fields.context])}\n`.normalize("NFC"),
      text: String(record[fields.text]).normalize("NFC"),
    };
  }
}
