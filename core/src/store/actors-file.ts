import { readFile, rename, writeFile } from "node:fs/promises";
import type { SystemReport } from "../actors/system-report.js";
import { errors } from "../errors.js";
import { isMissing } from "./durable-files.js";

/** What a run says of its actors. */
export interface ActorsRecord extends SystemReport {
  readonly pid: number;
  /** Which attempt of the run wrote it. */
  readonly attempt: number;
  /** Whether the run closed in order after it. */
  readonly ended: boolean;
}

/**
 * Keeps a run's actors on disk, for `troupe actors` and `troupe why-stuck`, after the run's death too. A write that fails
 * is left out: nothing in the run depends on it, and what the disk lacks is said by those that need it.
 */
export class ActorsFile {
  readonly #path: string;
  readonly #attempt: number;
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;

  constructor(path: string, attempt: number) {
    this.#path = path;
    this.#attempt = attempt;
  }

  /** Writes the newest report; one that comes while another is being written is left out. */
  write(report: SystemReport): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#writing = this.#put(report, false).finally(() => {
      this.#isWriting = false;
    });
  }

  /** Writes the last report. */
  async close(report: SystemReport): Promise<void> {
    await this.#writing;
    await this.#put(report, true);
  }

  async #put(report: SystemReport, ended: boolean): Promise<void> {
    const record: ActorsRecord = { ...report, pid: process.pid, attempt: this.#attempt, ended };
    const temporary = `${this.#path}.tmp`;
    try {
      await writeFile(temporary, `${JSON.stringify(record)}\n`);
      await rename(temporary, this.#path);
    } catch {
      // See above.
    }
  }
}

/**
 * What a run said last of its actors.
 *
 * @param run name of the run, for the error
 * @throws ACTORS_NOT_KNOWN when it never said anything
 */
export async function readActors(path: string, run: string): Promise<ActorsRecord> {
  try {
    // What `ActorsFile` wrote; renaming has made it whole.
    return JSON.parse(await readFile(path, "utf8")) as ActorsRecord;
  } catch (cause) {
    if (isMissing(cause) || cause instanceof SyntaxError) throw errors.actorsNotKnown({ run }, cause);
    throw cause;
  }
}
