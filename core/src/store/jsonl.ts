import { appendFile, mkdir, open, readFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { errors } from "../errors.js";
import { isMissing, onFile, syncToDisk, writeFileAtomically } from "./durable-files.js";

const NEWLINE = 0x0a;

/**
 * Appends JSON objects to a file, one a line. Lines wait in memory until `flush`, which returns when they are on the
 * disk; a flush that fails keeps them, so it can be tried again when there is room. One writer per file.
 */
export class JsonlWriter<T extends object> {
  /** Bytes of a torn last line that opening the file cut off; 0 when it ended well. */
  readonly tornBytes: number;
  readonly #file: string;
  readonly #handle: FileHandle;
  #pending: string[] = [];
  /** Where the next line goes; writing at a position makes a flush that failed half way repeatable. */
  #end: number;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(file: string, handle: FileHandle, end: number, tornBytes: number) {
    this.#file = file;
    this.#handle = handle;
    this.#end = end;
    this.tornBytes = tornBytes;
  }

  /**
   * Opens a file at its end, or makes it. What a power cut left of a last line is cut off.
   * @throws DISK_FULL, FILE_NOT_PERMITTED
   */
  static async open<T extends object>(file: string): Promise<JsonlWriter<T>> {
    return onFile(file, "write", async () => {
      await mkdir(dirname(file), { recursive: true });
      const content = await readBytes(file);
      const end = wholeLines(content).end;
      const handle = await open(file, content.length === 0 ? "w+" : "r+");
      if (end < content.length) await handle.truncate(end);
      return new JsonlWriter<T>(file, handle, end, content.length - end);
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
    }
  }

  async #write(): Promise<void> {
    const lines = this.#pending;
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
  }
}

/** What a JSONL file holds. */
export interface JsonlContent<T> {
  readonly lines: readonly T[];
  /** Bytes after the last whole line: left by a power cut, or a line that is being written just now. */
  readonly tornBytes: number;
}

/**
 * Reads a JSONL file; a missing one is empty. A torn last line is left out and counted; the file is not changed.
 *
 * @param parse turns one parsed line into a record, or throws
 * @throws LINE_UNREADABLE naming file and line; FILE_NOT_PERMITTED
 */
export async function readJsonl<T>(file: string, parse: (value: unknown) => T): Promise<JsonlContent<T>> {
  const content = await onFile(file, "read", () => readBytes(file));
  const { lines, end } = wholeLines(content);
  return { lines: lines.map((line, index) => parseLine(file, index, line, parse)), tornBytes: content.length - end };
}

/**
 * Moves every line whose `step` is greater than `step` to `<file>.aside-<attempt>`, where it stays for people to
 * read; lines without a step stay. A crash between the two writes leaves lines in both places, never in none.
 *
 * @returns the number of lines moved
 * @throws LINE_UNREADABLE, DISK_FULL, FILE_NOT_PERMITTED
 */
export async function truncateAfterStep(file: string, step: number, attempt: number): Promise<number> {
  const content = await onFile(file, "read", () => readBytes(file));
  const kept: string[] = [];
  const moved: string[] = [];
  wholeLines(content).lines.forEach((line, index) => {
    const isPast = parseLine(file, index, line, (value) => stepOf(value) > step);
    (isPast ? moved : kept).push(`${line}\n`);
  });
  if (moved.length === 0) return 0;
  const aside = `${file}.aside-${attempt}`;
  await onFile(aside, "write", async () => {
    await appendFile(aside, moved.join(""));
    await syncToDisk(aside);
  });
  await writeFileAtomically(file, kept.join(""));
  return moved.length;
}

function stepOf(value: unknown): number {
  const step = typeof value === "object" && value !== null && "step" in value ? value.step : undefined;
  return typeof step === "number" ? step : -Infinity;
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
