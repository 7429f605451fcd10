import { appendFile, mkdir, open, readFile, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { errors } from "../errors.js";
import { isMissing, onFile, syncToDisk, writeFileAtomically } from "./durable-files.js";
import {
  closedSegments,
  closeSegment,
  compressSegment,
  readSegment,
  replaceSegment,
  type SegmentOptions,
} from "./segments.js";

const NEWLINE = 0x0a;

/** A file that is never closed before its writer is. */
const ONE_FILE: SegmentOptions = { segmentBytes: Infinity, compress: false };

/**
 * Appends JSON objects to a file, one a line. Lines wait in memory until `flush`, which returns when they are on the
 * disk; a flush that fails keeps them, so it can be tried again when there is room. A file that has grown large is closed
 * as a segment, between two lines, and the next begun. One writer per file.
 */
export class JsonlWriter<T extends object> {
  /** Bytes of a torn last line that opening the file cut off; 0 when it ended well. */
  readonly tornBytes: number;
  readonly #file: string;
  readonly #segments: SegmentOptions;
  #handle: FileHandle;
  #pending: string[] = [];
  /** Where the next line goes; writing at a position makes a flush that failed half way repeatable. */
  #end: number;
  #flushing: Promise<void> = Promise.resolve();
  #compressing: Promise<void> = Promise.resolve();

  private constructor(file: string, segments: SegmentOptions, handle: FileHandle, end: number, tornBytes: number) {
    this.#file = file;
    this.#segments = segments;
    this.#handle = handle;
    this.#end = end;
    this.tornBytes = tornBytes;
  }

  /**
   * Opens a file at its end, or makes it. What a power cut left of a last line is cut off.
   * @throws DISK_FULL, FILE_NOT_PERMITTED
   */
  static async open<T extends object>(file: string, segments: SegmentOptions = ONE_FILE): Promise<JsonlWriter<T>> {
    return onFile(file, "write", async () => {
      await mkdir(dirname(file), { recursive: true });
      const content = await readBytes(file);
      const end = wholeLines(content).end;
      const handle = await open(file, content.length === 0 ? "w+" : "r+");
      if (end < content.length) await handle.truncate(end);
      return new JsonlWriter<T>(file, segments, handle, end, content.length - end);
    });
  }

  append(value: T): void {
    this.#pending.push(`${JSON.stringify(value)}\n`);
  }

  /**
   * Puts all lines appended so far on the disk, data fsynced.
   * @throws DISK_FULL, FILE_NOT_PERMITTED
   */
  flush(): Promise<void> {
    const flushed = this.#flushing.then(() => onFile(this.#file, "write", () => this.#write()));
    this.#flushing = flushed.catch(() => undefined);
    return flushed;
  }

  /** Flushes and closes; the writer cannot be used afterwards. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#handle.close();
      await this.#compressing;
    }
  }

  async #write(): Promise<void> {
    const lines = [...this.#pending];
    if (lines.length === 0) return;
    const bytes = Buffer.from(lines.join(""));
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, this.#end + written);
      written += bytesWritten;
    }
    await this.#handle.datasync();
    this.#end += bytes.length;
    // Lines may have been appended while these were written.
    this.#pending = this.#pending.slice(lines.length);
    if (this.#end >= this.#segments.segmentBytes) await this.#closeSegment();
  }

  async #closeSegment(): Promise<void> {
    const path = await closeSegment(this.#file);
    const next = await open(this.#file, "w+").catch(async (cause: unknown) => {
      // The lines are safe where they are, and the file stays the one that is written.
      await rename(path, this.#file);
      throw cause;
    });
    await this.#handle.close();
    this.#handle = next;
    this.#end = 0;
    if (!this.#segments.compress) return;
    // Beside the run; what cannot be compressed stays readable as it is.
    this.#compressing = this.#compressing.then(() => compressSegment(path)).catch(() => undefined);
  }
}

/** What a JSONL file holds. */
export interface JsonlContent<T> {
  readonly lines: readonly T[];
  /** Bytes after the last whole line: left by a power cut, or a line that is being written just now. */
  readonly tornBytes: number;
}

/**
 * Reads a JSONL file after its closed segments; a missing one is empty. A torn last line is left out and counted; the file
 * is not changed.
 *
 * @param parse turns one parsed line into a record, or throws
 * @throws LINE_UNREADABLE naming file and line; FILE_NOT_PERMITTED
 */
export async function readJsonl<T>(file: string, parse: (value: unknown) => T): Promise<JsonlContent<T>> {
  // The open file first: one that is closed in the meantime is then met twice rather than not at all.
  const content = await onFile(file, "read", () => readBytes(file));
  const closed: T[] = [];
  for (const path of await closedSegments(file)) {
    const bytes = await readSegment(path);
    closed.push(...parseLines(path, bytes, parse).lines);
    if (content.length > 0 && bytes.subarray(0, content.length).equals(content)) return { lines: closed, tornBytes: 0 };
  }
  const { lines, tornBytes } = parseLines(file, content, parse);
  return { lines: [...closed, ...lines], tornBytes };
}

/** The records of a JSONL file's bytes, a torn last line left out. @throws LINE_UNREADABLE naming file and line */
export function parseLines<T>(file: string, content: Buffer, parse: (value: unknown) => T): JsonlContent<T> {
  const { lines, end } = wholeLines(content);
  return { lines: lines.map((line, index) => parseLine(file, index, line, parse)), tornBytes: content.length - end };
}

/**
 * Moves every line whose `step` is greater than `step`, closed segments included, to `<file>.aside-<attempt>`, where it
 * stays for people to read; lines without a step stay. A crash in between leaves lines in both places, never in none.
 *
 * @param seconds lines that were written no later than this many `wallSeconds` into the run stay, whatever their step
 * @returns the number of lines moved
 * @throws LINE_UNREADABLE, DISK_FULL, FILE_NOT_PERMITTED
 */
export async function truncateAfterStep(
  file: string,
  step: number,
  attempt: number,
  seconds = -Infinity,
): Promise<number> {
  const content = await onFile(file, "read", () => readBytes(file));
  const parts = [{ path: file, bytes: content, replace: (text: string) => writeFileAtomically(file, text) }];
  for (const path of await closedSegments(file))
    parts.push({ path, bytes: await readSegment(path), replace: (text) => replaceSegment(path, text) });
  const aside = `${file}.aside-${attempt}`;
  let count = 0;
  for (const { path, bytes, replace } of parts) {
    const kept: string[] = [];
    const moved: string[] = [];
    wholeLines(bytes).lines.forEach((line, index) => {
      const isPast = parseLine(path, index, line, (value) => {
        return numberOf(value, "step") > step && numberOf(value, "wallSeconds") > seconds;
      });
      (isPast ? moved : kept).push(`${line}\n`);
    });
    if (moved.length === 0) continue;
    await onFile(aside, "write", async () => {
      await appendFile(aside, moved.join(""));
      await syncToDisk(aside);
    });
    await replace(kept.join(""));
    count += moved.length;
  }
  return count;
}

/** The largest `step` of a segment's lines; -Infinity when none has one. @throws LINE_UNREADABLE */
export async function lastStepOf(path: string): Promise<number> {
  const { lines } = wholeLines(await readSegment(path));
  return Math.max(
    -Infinity,
    ...lines.map((line, index) => parseLine(path, index, line, (value) => numberOf(value, "step"))),
  );
}

/** A number of a line; -Infinity for `step`, Infinity for anything else, where it has none. */
function numberOf(value: unknown, name: "step" | "wallSeconds"): number {
  const found =
    typeof value === "object" && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
  return typeof found === "number" ? found : name === "step" ? -Infinity : Infinity;
}

/**
 * A field of a parsed line; a line without it, or with another type there, is no record of the wanted kind.
 * @throws FIELD_NOT_VALID
 */
export function field<Kind extends keyof FieldKinds>(line: unknown, name: string, kind: Kind): FieldKinds[Kind] {
  const value =
    typeof line === "object" && line !== null ? Object.entries(line).find(([key]) => key === name)?.[1] : undefined;
  if (typeof value !== kind || value === null) {
    throw errors.fieldNotValid({ field: name, kind, found: value === null ? "null" : typeof value });
  }
  return value;
}

interface FieldKinds {
  number: number;
  string: string;
  object: object;
}

async function readBytes(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: unknown) => {
    if (isMissing(cause)) return Buffer.alloc(0);
    throw cause;
  });
}

/**
 * Lines that end in a newline, and where the last of them ends. After a power cut a file may also end in zeros or
 * in half a block with a newline of its own, so a last line that is not JSON counts as torn too.
 */
function wholeLines(content: Buffer): { readonly lines: readonly string[]; readonly end: number } {
  let end = content.lastIndexOf(NEWLINE) + 1;
  const lines = content.toString("utf8", 0, end).split("\n").slice(0, -1);
  const last = lines.at(-1);
  if (last !== undefined && !isJson(last)) {
    lines.pop();
    end = content.subarray(0, end - 1).lastIndexOf(NEWLINE) + 1;
  }
  return { lines, end };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseLine<T>(file: string, index: number, line: string, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(line));
  } catch (cause) {
    throw errors.lineUnreadable({ file, line: index + 1 }, cause);
  }
}
