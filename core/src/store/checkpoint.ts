import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { JsonObject } from "../records/json.js";
import { isMissing, onFile, syncToDisk, syncTree, writeFileAtomically } from "./durable-files.js";
import { field } from "./jsonl.js";
import type { RunDirectory } from "./run-directory.js";

/** A checkpoint on disk; always whole. */
export interface Checkpoint {
  readonly step: number;
  /** Folder with `model.safetensors`, `config.json`, `optimizer.safetensors` and `state.json`. */
  readonly path: string;
}

/**
 * Writes `checkpoints/000200/`: into a temporary folder first, every file and folder fsynced, then renamed, so a
 * half-written checkpoint is never seen. A checkpoint of the same step is replaced.
 *
 * Flush the run's JSONL writers before: lines of a step that a checkpoint covers must not be lost.
 *
 * @param write fills a folder, for example by `engine.save(directory, { optimizer: true })`, and gives whatever else the
 *   run needs to go on
 * @throws DISK_FULL, FILE_NOT_PERMITTED, and what `write` throws
 */
export async function saveCheckpoint(
  run: RunDirectory,
  step: number,
  write: (directory: string) => Promise<JsonObject>,
): Promise<Checkpoint> {
  const path = join(run.checkpoints, folderName(step));
  const temporary = join(run.checkpoints, `.tmp-${folderName(step)}`);
  await onFile(path, "write", async () => {
    await removeLeftovers(run);
    await mkdir(temporary, { recursive: true });
    const state = await write(temporary);
    await writeFileAtomically(join(temporary, "state.json"), JSON.stringify(state));
    await syncTree(temporary);
    // A folder cannot be renamed onto a full one. A crash between the two renames leaves the checkpoint before this.
    await discard(run, path);
    await rename(temporary, path);
    await syncToDisk(run.checkpoints);
    await removeLeftovers(run);
  });
  return { step, path };
}

/** Every whole checkpoint, oldest first. */
export async function listCheckpoints(run: RunDirectory): Promise<readonly Checkpoint[]> {
  return (await namesIn(run.checkpoints))
    .filter((name) => /^\d{6,}$/.test(name))
    .map((name) => ({ step: Number(name), path: join(run.checkpoints, name) }))
    .toSorted((a, b) => a.step - b.step);
}

/** The newest checkpoint; undefined before the first. */
export async function latestCheckpoint(run: RunDirectory): Promise<Checkpoint | undefined> {
  return (await listCheckpoints(run)).at(-1);
}

/**
 * The checkpoint of a step.
 * @throws CHECKPOINT_NOT_FOUND
 */
export async function findCheckpoint(run: RunDirectory, step: number): Promise<Checkpoint> {
  const found = (await listCheckpoints(run)).find((checkpoint) => checkpoint.step === step);
  if (found === undefined) throw errors.checkpointNotFound({ run: run.id, step });
  return found;
}

/**
 * What `saveCheckpoint` got as `state`.
 * @throws LINE_UNREADABLE when `state.json` is gone, or no JSON object
 */
export async function readCheckpointState(checkpoint: Checkpoint): Promise<JsonObject> {
  const file = join(checkpoint.path, "state.json");
  try {
    const state: unknown = JSON.parse(await onFile(file, "read", () => readFile(file, "utf8")));
    // An object that JSON.parse made holds JSON values alone.
    return field({ state }, "state", "object") as JsonObject;
  } catch (cause) {
    if (cause instanceof TroupeError && cause.code === "FILE_NOT_PERMITTED") throw cause;
    throw errors.lineUnreadable({ file, line: 1 }, cause);
  }
}

/** Removes all but the newest `keep` checkpoints; at least one stays. */
export async function pruneCheckpoints(run: RunDirectory, keep: number): Promise<void> {
  const checkpoints = await listCheckpoints(run);
  for (const { path } of checkpoints.slice(0, -Math.max(1, keep))) await discard(run, path);
  await removeLeftovers(run);
}

function folderName(step: number): string {
  return String(step).padStart(6, "0");
}

/** Takes a checkpoint out of sight in one move; deleting file by file would show a part of it. */
async function discard(run: RunDirectory, path: string): Promise<void> {
  const hidden = join(run.checkpoints, `.tmp-old-${basename(path)}`);
  await rename(path, hidden).catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause;
  });
}

/** Removes what a crash, or `discard`, left. */
async function removeLeftovers(run: RunDirectory): Promise<void> {
  for (const name of await namesIn(run.checkpoints)) {
    if (name.startsWith(".tmp-")) await rm(join(run.checkpoints, name), { recursive: true, force: true });
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw cause;
  });
}
