import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { errors } from "../errors.js";
import { isMissing, onFile, syncToDisk } from "./durable-files.js";
import type { SegmentOptions } from "./segments.js";
import { archivedBytes, CONTENT_OFFSET, tarPieces, type ArchiveMember } from "./tar.js";

/** A closed segment of rollouts: `rollouts/000001-000214.tar`, the files of these steps in one archive. */
export interface RolloutSegment {
  readonly path: string;
  readonly first: number;
  readonly last: number;
}

/** The steps of one segment at most: its index stays small enough to be read for each of them. */
const MOST_STEPS = 256;
const INDEX = "index.json";
const FILE = /^(?:eval-.*-)?(\d{6,})\.(?:jsonl|tok\.bin)$/;

/** A file in a segment. */
interface Place {
  readonly name: string;
  /** From the end of the index. */
  readonly offset: number;
  readonly size: number;
}

/** The step that a file of rollouts belongs to; undefined for other files. */
export function stepOfFile(name: string): number | undefined {
  const step = FILE.exec(name)?.[1];
  return step === undefined ? undefined : Number(step);
}

/** Closed segments by their steps. */
export async function rolloutSegments(directory: string): Promise<readonly RolloutSegment[]> {
  return (await namesIn(directory))
    .flatMap((name) => {
      const [, first, last] = /^(\d{6,})-(\d{6,})\.tar$/.exec(name) ?? [];
      return first === undefined ? [] : [{ path: join(directory, name), first: Number(first), last: Number(last) }];
    })
    .toSorted((a, b) => a.first - b.first);
}

/** Files of rollouts that no segment holds yet, oldest step first. */
export async function looseFiles(
  directory: string,
): Promise<readonly { readonly name: string; readonly step: number }[]> {
  return (await namesIn(directory))
    .flatMap((name) => {
      const step = stepOfFile(name);
      return step === undefined ? [] : [{ name, step }];
    })
    .toSorted((a, b) => a.step - b.step || (a.name < b.name ? -1 : 1));
}

/**
 * Closes the oldest steps into segments while they fill one. A crash at any moment leaves each step in a segment, beside
 * it, or in both.
 *
 * @param to newest step that may be closed: nothing will be written again up to it
 * @throws DISK_FULL, FILE_NOT_PERMITTED
 */
export async function closeRollouts(directory: string, to: number, options: SegmentOptions): Promise<void> {
  await removeLeftovers(directory);
  for (;;) {
    const loose = (await looseFiles(directory)).filter(({ step }) => step <= to);
    const full = await oldestFull(directory, loose, options.segmentBytes);
    if (full.length === 0) return;
    await writeSegment(directory, full, options.compress);
    for (const { name } of full) await rm(join(directory, name));
  }
}

/** Removes what a crash left: half an archive, and files beside the archive that holds them. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) if (name.endsWith(".tar.tmp")) await rm(join(directory, name));
  const loose = await looseFiles(directory);
  for (const { path, first, last } of await rolloutSegments(directory)) {
    const within = loose.filter(({ step }) => step >= first && step <= last);
    if (within.length === 0) continue;
    const held = new Set((await readIndex(path)).places.map(({ name }) => name.replace(/\.gz$/, "")));
    for (const { name } of within) if (held.has(name)) await rm(join(directory, name), { force: true });
  }
}

/** The oldest steps' files that fill a segment together; none when they do not. */
async function oldestFull<File extends { readonly name: string; readonly step: number }>(
  directory: string,
  files: readonly File[],
  segmentBytes: number,
): Promise<readonly File[]> {
  let bytes = 0;
  const steps = new Set<number>();
  for (const [i, { name, step }] of files.entries()) {
    if (!steps.has(step) && (bytes >= segmentBytes || steps.size === MOST_STEPS)) return files.slice(0, i);
    steps.add(step);
    bytes += (await stat(join(directory, name))).size;
  }
  return bytes >= segmentBytes ? files : [];
}

async function writeSegment(
  directory: string,
  files: readonly { readonly name: string; readonly step: number }[],
  compress: boolean,
): Promise<void> {
  const members: ArchiveMember[] = [];
  for (const { name } of files) {
    const bytes = await readFile(join(directory, name));
    members.push(compress ? { name: `${name}.gz`, bytes: await promisify(gzip)(bytes) } : { name, bytes });
  }
  let offset = 0;
  const places = members.map(({ name, bytes }): Place => {
    const place = { name, offset: offset + CONTENT_OFFSET, size: bytes.length };
    offset += archivedBytes(bytes.length);
    return place;
  });
  const number = (step: number | undefined): string => String(step).padStart(6, "0");
  const path = join(directory, `${number(files[0]?.step)}-${number(files.at(-1)?.step)}.tar`);
  await onFile(path, "write", async () => {
    const handle = await open(`${path}.tmp`, "w");
    try {
      const index = { name: INDEX, bytes: Buffer.from(JSON.stringify(places)) };
      for (const piece of tarPieces([index, ...members])) await handle.writeFile(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${path}.tmp`, path);
    await syncToDisk(directory);
  });
}

/** Every file that a segment holds, with its segment, oldest first. @throws ROLLOUTS_UNREADABLE */
export async function packedFiles(
  directory: string,
): Promise<readonly { readonly file: string; readonly segment: RolloutSegment }[]> {
  const files = [];
  for (const segment of await rolloutSegments(directory))
    for (const { name } of (await readIndex(segment.path)).places)
      files.push({ file: name.replace(/\.gz$/, ""), segment });
  return files;
}

/**
 * The bytes of a file of rollouts, loose or in a segment; undefined when it is in neither.
 * @throws ROLLOUTS_UNREADABLE, FILE_NOT_PERMITTED
 */
export async function readRolloutFile(directory: string, file: string): Promise<Buffer | undefined> {
  const path = join(directory, file);
  const loose = await onFile(path, "read", () => readFile(path)).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw cause;
  });
  if (loose) return loose;
  const step = stepOfFile(file) ?? -1;
  for (const segment of await rolloutSegments(directory)) {
    if (step < segment.first || step > segment.last) continue;
    const bytes = await readMember(segment, file);
    if (bytes) return bytes;
  }
  return undefined;
}

async function readMember(segment: RolloutSegment, file: string): Promise<Buffer | undefined> {
  const { places, end } = await readIndex(segment.path);
  const place = places.find(({ name }) => name === file || name === `${file}.gz`);
  if (!place) return undefined;
  const bytes = await readAt(segment.path, end + place.offset, place.size);
  return place.name === file ? bytes : promisify(gunzip)(bytes);
}

/** Takes every segment that reaches past a step apart again: the files up to it loose, the archive moved aside. */
export async function reopenSegments(directory: string, step: number, aside: string): Promise<void> {
  for (const segment of await rolloutSegments(directory)) {
    if (segment.last <= step) continue;
    for (const { name } of (await readIndex(segment.path)).places) {
      const file = name.replace(/\.gz$/, "");
      if ((stepOfFile(file) ?? Infinity) > step) continue;
      const bytes = await readMember(segment, file);
      if (bytes) await onFile(file, "write", () => writeFile(join(directory, file), bytes));
    }
    await onFile(aside, "write", async () => {
      await mkdir(aside, { recursive: true });
      await rename(segment.path, join(aside, basename(segment.path)));
    });
  }
}

async function readIndex(path: string): Promise<{ readonly places: readonly Place[]; readonly end: number }> {
  const header = await readAt(path, 0, CONTENT_OFFSET);
  const size = Number.parseInt(header.toString("latin1", 124, 135), 8);
  try {
    // What `writeSegment` wrote.
    const places = JSON.parse((await readAt(path, CONTENT_OFFSET, size)).toString("utf8")) as readonly Place[];
    return { places, end: archivedBytes(size) };
  } catch (cause) {
    throw errors.rolloutsUnreadable({ file: path, problem: `its ${INDEX} cannot be read` }, cause);
  }
}

async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  return onFile(path, "read", async () => {
    const handle = await open(path, "r");
    try {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await handle.read(bytes, 0, length, position);
      if (bytesRead < length)
        throw errors.rolloutsUnreadable({ file: path, problem: `it ends ${length - bytesRead} bytes too early` });
      return bytes;
    } finally {
      await handle.close();
    }
  });
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw cause;
  });
}
