import { open, readFile, rm, type FileHandle } from "node:fs/promises";
import { isMissing, onFile, writeFileAtomically } from "../store/durable-files.js";
import { filesOf } from "./curation-report.js";

/** How far a curation came; written behind the rows, so that what it says is on the disk. */
export interface Progress {
  readonly key: string;
  /** Lines of the input that are decided, blank ones included. */
  readonly line: number;
  readonly rows: number;
  readonly kept: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly keptBytes: number;
  readonly droppedBytes: number;
}

/** The progress of an interrupted curation; undefined where there is none. */
export async function readProgress(output: string): Promise<Progress | undefined> {
  try {
    // Progress is written whole by this package.
    return JSON.parse(await readFile(filesOf(output).progress, "utf8")) as Progress;
  } catch (cause) {
    if (isMissing(cause) || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** Kept and dropped rows, in two files that grow together. */
export class CurationOutput {
  readonly #output: string;
  readonly #kept: FileHandle;
  readonly #dropped: FileHandle;
  #keptBytes: number;
  #droppedBytes: number;
  #keptLines = "";
  #droppedLines = "";

  private constructor(output: string, kept: FileHandle, dropped: FileHandle, progress: Progress) {
    this.#output = output;
    this.#kept = kept;
    this.#dropped = dropped;
    this.#keptBytes = progress.keptBytes;
    this.#droppedBytes = progress.droppedBytes;
  }

  /** Opens both files where progress says they end; whatever came after that is cut off. */
  static async open(output: string, progress: Progress): Promise<CurationOutput> {
    return onFile(output, "write", async () => {
      const kept = await open(output, "a+");
      const dropped = await open(filesOf(output).dropped, "a+");
      await kept.truncate(progress.keptBytes);
      await dropped.truncate(progress.droppedBytes);
      return new CurationOutput(output, kept, dropped, progress);
    });
  }

  keep(line: string): void {
    this.#keptLines += `${line}\n`;
  }

  drop(record: object): void {
    this.#droppedLines += `${JSON.stringify(record)}\n`;
  }

  /** Puts all lines on the disk, then the progress that counts them. @throws DISK_FULL, FILE_NOT_PERMITTED */
  async save(progress: Omit<Progress, "keptBytes" | "droppedBytes">): Promise<void> {
    await onFile(this.#output, "write", async () => {
      const [kept, dropped] = [Buffer.from(this.#keptLines), Buffer.from(this.#droppedLines)];
      await this.#kept.appendFile(kept);
      await this.#dropped.appendFile(dropped);
      await this.#kept.datasync();
      await this.#dropped.datasync();
      [this.#keptLines, this.#droppedLines] = ["", ""];
      this.#keptBytes += kept.length;
      this.#droppedBytes += dropped.length;
    });
    const counted: Progress = { ...progress, keptBytes: this.#keptBytes, droppedBytes: this.#droppedBytes };
    await writeFileAtomically(filesOf(this.#output).progress, JSON.stringify(counted));
  }

  async close(): Promise<void> {
    await this.#kept.close();
    await this.#dropped.close();
  }
}

/** Ends a curation: there is a report now, and nothing to go on with. */
export async function finish(output: string, report: object): Promise<void> {
  await writeFileAtomically(filesOf(output).report, `${JSON.stringify(report, null, 2)}\n`);
  await rm(filesOf(output).progress, { force: true });
}
