import type { RecognisedData } from "@troupe/core/sdk";
import { readRows } from "../math/read-rows.js";
import { isText } from "./documents.js";

const TEXT = ["text", "content", "document", "body", "passage", "solution", "completion"];
const CONTEXT = ["context", "problem", "question", "prompt"];
/** Rows that are looked at. */
const ROWS = 50;

/**
 * Which column of a file holds texts, and which, if any, what comes before them; a text file, or a folder of them, is
 * taken as it is.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function recogniseTexts(path: string): Promise<RecognisedData> {
  if (isText(path))
    return { settings: { data: { path } }, columns: { text: "all of it" }, looked: 1, usable: 1, isGeneral: true };
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const { value } of readRows(path, [...TEXT, ...CONTEXT])) {
    // Whatever a row is, only texts under known names are read of it.
    rows.push((value ?? {}) as Readonly<Record<string, unknown>>);
    if (rows.length === ROWS) break;
  }
  const textsIn = (name: string): number =>
    rows.filter((row) => typeof row[name] === "string" && row[name] !== "").length;
  const text = TEXT.reduce((best, name) => (textsIn(name) > textsIn(best) ? name : best));
  const usable = textsIn(text);
  const context = CONTEXT.find((name) => usable > 0 && textsIn(name) === usable);
  return {
    settings: {
      data: {
        path,
        fields: { text, ...(context === undefined ? {} : { context }) },
        ...(usable < rows.length ? { onBadRow: "skip" } : {}),
      },
    },
    columns: { text, ...(context === undefined ? {} : { context }) },
    looked: rows.length,
    usable,
    isGeneral: true,
    ...(usable === 0 ? { problem: `no row has a text under ${TEXT.map((name) => `"${name}"`).join(", ")}` } : {}),
  };
}
