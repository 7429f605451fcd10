import { link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errors } from "../errors.js";
import { alreadyExists, isMissing, onFile, writeFileAtomically } from "./durable-files.js";
import { processStart } from "./process-start.js";

/** The right to write a run. One process at a time holds it; each time it is taken is one attempt of the run. */
export interface RunLock {
  /** 1 for the first process that wrote the run, 2 for the one that resumed it, and so on. */
  readonly attempt: number;
  /** Gives the run back. A process that dies without it gives the run back by dying. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Tells a process from a later one with the same id. */
  readonly processStart: string;
  readonly released: boolean;
}

/**
 * Takes the right to write a run.
 *
 * The list of attempts is the lock: attempt n + 1 may be created only when the process of attempt n is dead or has
 * released it, and creating it is one atomic `link`. So two processes that find the same dead holder cannot both win.
 *
 * @param directory the run's folder of attempts
 * @param run name of the run, for the error
 * @throws RUN_LOCKED while another holder is alive; FILE_NOT_PERMITTED, DISK_FULL
 */
export async function lockRun(directory: string, run: string): Promise<RunLock> {
  return onFile(directory, "write", async () => {
    await mkdir(directory, { recursive: true });
    for (;;) {
      const last = await lastAttempt(directory);
      const holder = last === 0 ? undefined : await readHolder(attemptFile(directory, last));
      if (holder !== undefined && isAlive(holder)) throw errors.runLocked({ run, pid: holder.pid });
      const file = attemptFile(directory, last + 1);
      const mine: Holder = { pid: process.pid, processStart: processStart(process.pid) ?? "", released: false };
      if (await createExclusively(file, JSON.stringify(mine))) {
        return {
          attempt: last + 1,
          release: () => writeFileAtomically(file, JSON.stringify({ ...mine, released: true })),
        };
      }
    }
  });
}

/** The attempt that works on a run now, with its process; undefined when none does. */
export async function liveAttempt(
  directory: string,
): Promise<{ readonly attempt: number; readonly pid: number } | undefined> {
  const attempt = await lastAttempt(directory).catch((cause: unknown) => {
    if (isMissing(cause)) return 0;
    throw cause;
  });
  const holder = attempt === 0 ? undefined : await readHolder(attemptFile(directory, attempt));
  return holder !== undefined && isAlive(holder) ? { attempt, pid: holder.pid } : undefined;
}

/** Number of the newest attempt; 0 when there is none. */
async function lastAttempt(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => /^\d+\.json$/.test(name));
  return Math.max(0, ...names.map((name) => Number.parseInt(name, 10)));
}

function attemptFile(directory: string, attempt: number): string {
  return join(directory, `${String(attempt).padStart(4, "0")}.json`);
}

/** Creates a file with its whole content at once; false when it was there already. */
async function createExclusively(file: string, content: string): Promise<boolean> {
  const temporary = `${file}.tmp-${process.pid}`;
  await writeFile(temporary, content);
  try {
    await link(temporary, file);
    return true;
  } catch (cause) {
    if (alreadyExists(cause)) return false;
    throw cause;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The holder in a lock file; undefined when a power cut left the file unreadable, so that its process is dead. */
async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, processStart, released } = { pid: 0, processStart: "", released: false, ...value };
    return { pid: Number(pid), processStart: String(processStart), released: released === true };
  } catch (cause) {
    if (cause instanceof SyntaxError || isMissing(cause)) return undefined;
    throw cause;
  }
}

function isAlive(holder: Holder): boolean {
  return !holder.released && processStart(holder.pid) === holder.processStart;
}
