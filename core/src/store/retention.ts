import { readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isMissing, writeFileAtomically } from "./durable-files.js";
import { field, lastStepOf } from "./jsonl.js";
import { looseFiles, rolloutSegments } from "./rollout-segments.js";
import type { RunDirectory } from "./run-directory.js";
import { closedSegments, removeSegment } from "./segments.js";

/** What a run no longer has: `dropped.json`. */
export interface Dropped {
  /** Rollouts of steps up to this one are gone; -1 when none are. */
  readonly rolloutsTo: number;
}

/** What was dropped at one time. */
export interface DropReport {
  readonly bytes: number;
  /** Newest step of which something was dropped; -1 when it was only what earlier attempts had set aside. */
  readonly to: number;
  /** Bytes that the records take now. */
  readonly left: number;
}

/** A piece of the record that can go. */
interface Unit {
  /** Its newest step; what was set aside goes first, at -1. */
  readonly last: number;
  readonly bytes: number;
  readonly holdsRollouts: boolean;
  remove(): Promise<void>;
}

/**
 * Drops the oldest records while all of them together take more than a bound: first what rewinds set aside, then
 * rollouts, and closed segments of ledger and events once the rollouts of their steps are gone. What is newer than the
 * newest checkpoint stays, as a resumed run goes on from there; so does `metrics.jsonl`, the run's curve.
 *
 * @param checkpoint step of the newest checkpoint
 * @returns undefined when nothing had to go
 * @throws FILE_NOT_PERMITTED, LINE_UNREADABLE
 */
export async function keepWithin(
  run: RunDirectory,
  maxBytes: number,
  checkpoint: number,
): Promise<DropReport | undefined> {
  let left = await recordedBytes(run);
  if (left <= maxBytes) return undefined;
  const droppable = (await unitsOf(run)).filter(({ last }) => last <= checkpoint).toSorted(byAge);
  let bytes = 0;
  let to = -1;
  for (const unit of droppable) {
    if (left <= maxBytes) break;
    // Said before it is done: what cannot be found is then known to be gone.
    if (unit.holdsRollouts) await writeDropped(run, { rolloutsTo: unit.last });
    await unit.remove();
    left -= unit.bytes;
    bytes += unit.bytes;
    to = Math.max(to, unit.last);
  }
  return bytes === 0 ? undefined : { bytes, to, left };
}

/** What a run has dropped so far. */
export async function readDropped(run: RunDirectory): Promise<Dropped> {
  const text = await readFile(run.dropped, "utf8").catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw cause;
  });
  return { rolloutsTo: text === undefined ? -1 : field(JSON.parse(text), "rolloutsTo", "number") };
}

async function writeDropped(run: RunDirectory, dropped: Dropped): Promise<void> {
  const { rolloutsTo } = await readDropped(run);
  if (dropped.rolloutsTo > rolloutsTo) await writeFileAtomically(run.dropped, `${JSON.stringify(dropped)}\n`);
}

function byAge(a: Unit, b: Unit): number {
  // Lines outlive the rollouts of their steps: replay reads the events beside them.
  return a.last - b.last || Number(b.holdsRollouts) - Number(a.holdsRollouts);
}

async function unitsOf(run: RunDirectory): Promise<readonly Unit[]> {
  const units: Unit[] = [];
  const add = (last: number, bytes: number, holdsRollouts: boolean, paths: readonly string[]): void =>
    void units.push({
      last,
      bytes,
      holdsRollouts,
      remove: async () => {
        for (const path of paths) await rm(path, { recursive: true, force: true });
      },
    });
  for (const path of await asideOf(run)) add(-1, await bytesBelow(path), false, [path]);
  for (const { path, last } of await rolloutSegments(run.rollouts)) add(last, await bytesBelow(path), true, [path]);
  const steps = new Map<number, string[]>();
  for (const { name, step } of await looseFiles(run.rollouts))
    steps.set(step, [...(steps.get(step) ?? []), join(run.rollouts, name)]);
  for (const [step, paths] of steps) add(step, await sum(paths.map(bytesBelow)), true, paths);
  for (const file of [run.ledger, run.events])
    for (const path of await closedSegments(file))
      units.push({
        last: await lastStepOf(path),
        bytes: (await bytesBelow(path)) + (await bytesBelow(`${path}.gz`)),
        holdsRollouts: false,
        remove: () => removeSegment(path),
      });
  return units;
}

/** Bytes of everything that a run records: rollouts and lines, not checkpoints. */
async function recordedBytes(run: RunDirectory): Promise<number> {
  const lines = [];
  for (const file of [run.metrics, run.events, run.ledger])
    for (const path of [file, ...(await closedSegments(file))]) lines.push(path, `${path}.gz`);
  const aside = (await asideOf(run)).filter((path) => dirname(path) !== run.rollouts);
  return sum([run.rollouts, ...lines, ...aside].map(bytesBelow));
}

/** What rewinds moved aside. */
async function asideOf(run: RunDirectory): Promise<readonly string[]> {
  const found = [];
  for (const directory of [run.path, run.rollouts])
    for (const name of await readdir(directory).catch(() => []))
      if (/(^|\.)aside-\d+$/.test(name)) found.push(join(directory, name));
  return found;
}

/** Bytes of a file, or of all files below a folder; 0 when it is not there. */
async function bytesBelow(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw cause;
  });
  if (!found) return 0;
  if (!found.isDirectory()) return found.size;
  return sum((await readdir(path)).map((name) => bytesBelow(join(path, name))));
}

async function sum(numbers: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(numbers)).reduce((total, one) => total + one, 0);
}
