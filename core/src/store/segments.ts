import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { isMissing, onFile, syncToDisk, writeFileAtomically } from "./durable-files.js";

/** How files that grow are kept in bounds. */
export interface SegmentOptions {
  /** A file of this size is closed: it gets a number, and a new one is begun. */
  readonly segmentBytes: number;
  /** Whether what is closed is compressed, by gzip. */
  readonly compress: boolean;
}

/**
 * The closed segments of a file of lines, oldest first: for `ledger.jsonl` those are `ledger.000001.jsonl` and so on,
 * with `.gz` behind it when compressed, which is left out here. The file itself holds what came after them.
 */
export async function closedSegments(file: string): Promise<readonly string[]> {
  const kind = extname(file);
  const stem = basename(file, kind);
  const names = await readdir(dirname(file)).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw cause;
  });
  const plain = names.map((name) => name.replace(/\.gz$/, ""));
  const isSegment = (name: string): boolean =>
    name.startsWith(`${stem}.`) &&
    name.endsWith(kind) &&
    /^\.\d{6,}\.$/.test(name.slice(stem.length, -kind.length + 1));
  return [...new Set(plain.filter(isSegment))].toSorted().map((name) => join(dirname(file), name));
}

/** Closes a file by giving it the next number; the caller begins a new one. */
export async function closeSegment(file: string): Promise<string> {
  const kind = extname(file);
  const last = (await closedSegments(file)).at(-1);
  const number = last === undefined ? 1 : Number(/\.(\d+)\.[^.]*$/.exec(last)?.[1]) + 1;
  const path = join(dirname(file), `${basename(file, kind)}.${String(number).padStart(6, "0")}${kind}`);
  await rename(file, path);
  await syncToDisk(dirname(file));
  return path;
}

/** Compresses a closed segment; at every moment one whole form of it is there. */
export async function compressSegment(path: string): Promise<void> {
  await writeFileAtomically(`${path}.gz`, await promisify(gzip)(await readFile(path)));
  await rm(path, { force: true });
}

/** A closed segment's bytes, in whichever form it is there. @throws FILE_NOT_PERMITTED */
export async function readSegment(path: string): Promise<Buffer> {
  return onFile(path, "read", async () => {
    const plain = await readFile(path).catch((cause: unknown) => {
      if (isMissing(cause)) return undefined;
      throw cause;
    });
    return plain ?? promisify(gunzip)(await readFile(`${path}.gz`));
  });
}

/** Puts other bytes in the place of a closed segment, in the form that it has; none removes it. */
export async function replaceSegment(path: string, content: string): Promise<void> {
  if (content === "") return removeSegment(path);
  const isPlain = await open(path, "r").then(
    (handle) => handle.close().then(() => true),
    () => false,
  );
  if (isPlain) await writeFileAtomically(path, content);
  else await writeFileAtomically(`${path}.gz`, await promisify(gzip)(content));
}

export async function removeSegment(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.gz`, { force: true });
}
