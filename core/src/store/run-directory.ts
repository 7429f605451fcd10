import { readFileSync } from "node:fs";
import { mkdir, readdir, rm, rmdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { errors } from "../errors.js";
import type { JsonObject } from "../records/json.js";
import { alreadyExists, isMissing, onFile, writeFileAtomically } from "./durable-files.js";
import { liveAttempt, lockRun, type RunLock } from "./run-lock.js";

/**
 * Every file that a run writes, and its place. Whoever reads or writes a run asks here for the path.
 *
 *     runs/0007-demo/
 *       run.json                what it is: name, command, machine, commit, seed
 *       config.resolved.yaml    every setting as used
 *       plugins.lock.json       plugin → version and content hash
 *       plugins/                the code of every plugin version that was used
 *       control/                requests to the process that works on the run, and its answers
 *       attempts/0001.json      the processes that wrote it, one after another; the last one is the lock
 *       metrics.jsonl           one line a step
 *       events.jsonl            everything else that happened
 *       ledger.jsonl            which samples each step consumed
 *       rollouts/000214.jsonl   every trajectory of step 214, and 000214.tok.bin with its token arrays
 *       rollouts/000001-000200.tar  those of a closed segment; lines have theirs too: ledger.000001.jsonl
 *       dropped.json            which rollouts had to go for the others, under `store.maxMb`
 *       checkpoints/000200/     weights, optimizer, state
 *       entropies/              of the texts that tasks stand in, under the policy that the run began with
 *       arms/rlvr/              an arm of a comparison: a run directory of its own
 *       actors.json             its actors, mailboxes and waits, as of a second ago
 *       progress.json           a comparison's seconds so far and the base policy's headroom
 *       summary.json  summary.svg  report.html
 *
 * @example
 * const run = await RunDirectory.create({ root: "runs", name: "demo" }); // runs/0001-demo
 * const lock = await run.lock();
 */
export class RunDirectory {
  /** Absolute. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes a new run with the next free number.
   * @param options root: folder of all runs; about: what `run.json` says beside the name
   * @throws FILE_NOT_PERMITTED, DISK_FULL, RUNS_FOLDER_NOT_USABLE
   */
  static async create(options: { root: string; name: string; about?: JsonObject }): Promise<RunDirectory> {
    const root = resolve(options.root);
    return onFile(root, "write", async () => {
      await mkdir(root, { recursive: true }).catch((cause: unknown) => {
        throw asRunsFolderError(root, cause);
      });
      for (;;) {
        const number = ((await runsIn(root)).at(-1)?.number ?? 0) + 1;
        const run = new RunDirectory(join(root, `${String(number).padStart(4, "0")}-${slug(options.name)}`));
        if (!(await makeDirectory(run.path))) continue;
        // Another process may have taken the number under another name; whoever sees that gives way.
        if ((await runsIn(root)).filter((other) => other.number === number).length > 1) {
          await rmdir(run.path);
          continue;
        }
        await writeFileAtomically(
          run.about,
          `${JSON.stringify({ format: 1, name: options.name, ...options.about }, null, 2)}\n`,
        );
        return run;
      }
    });
  }

  /**
   * The run at a path.
   * @throws RUN_NOT_FOUND when there is no `run.json`
   */
  static async open(path: string): Promise<RunDirectory> {
    const run = new RunDirectory(resolve(path));
    if (!(await exists(run.about))) throw errors.runNotFound({ wanted: path, root: join(run.path, ".."), known: [] });
    return run;
  }

  /** Folder name: "0007-demo". */
  get id(): string {
    return basename(this.path);
  }
  get about(): string {
    return join(this.path, "run.json");
  }
  get config(): string {
    return join(this.path, "config.resolved.yaml");
  }
  get plugins(): string {
    return join(this.path, "plugins.lock.json");
  }
  get pluginVersions(): string {
    return join(this.path, "plugins");
  }
  get control(): string {
    return join(this.path, "control");
  }
  get metrics(): string {
    return join(this.path, "metrics.jsonl");
  }
  get events(): string {
    return join(this.path, "events.jsonl");
  }
  get ledger(): string {
    return join(this.path, "ledger.jsonl");
  }
  get rollouts(): string {
    return join(this.path, "rollouts");
  }
  get entropies(): string {
    return join(this.path, "entropies");
  }
  get checkpoints(): string {
    return join(this.path, "checkpoints");
  }
  get summary(): string {
    return join(this.path, "summary.json");
  }
  get summarySvg(): string {
    return join(this.path, "summary.svg");
  }
  get report(): string {
    return join(this.path, "report.html");
  }
  get actors(): string {
    return join(this.path, "actors.json");
  }
  get dropped(): string {
    return join(this.path, "dropped.json");
  }
  get progress(): string {
    return join(this.path, "progress.json");
  }

  /** The command that the run was started with, when `run.json` says it. */
  command(): string | undefined {
    const about: unknown = JSON.parse(readFileSync(this.about, "utf8"));
    const isKnown = typeof about === "object" && about !== null && "command" in about;
    return isKnown && typeof about.command === "string" ? about.command : undefined;
  }

  /** The directory of one arm of a comparison, made when it is not there; the lock of the whole run covers it. */
  async arm(name: string): Promise<RunDirectory> {
    const arm = this.armToRead(name);
    await onFile(arm.path, "write", () => mkdir(arm.path, { recursive: true }));
    return arm;
  }

  /** The directories of all arms that are there. */
  async armsToRead(): Promise<readonly RunDirectory[]> {
    const names = await readdir(join(this.path, "arms")).catch((cause: unknown) => {
      if (isMissing(cause)) return [];
      throw cause;
    });
    return names.map((name) => this.armToRead(name));
  }

  /** The directory of one arm, whether it is there or not. */
  armToRead(name: string): RunDirectory {
    return new RunDirectory(join(this.path, "arms", slug(name)));
  }

  /**
   * Takes the right to write this run; see `lockRun`.
   * @throws RUN_LOCKED naming the process that holds it
   */
  lock(): Promise<RunLock> {
    return lockRun(join(this.path, "attempts"), this.id);
  }

  /**
   * Removes the run when it has no step, no checkpoint and no recorded sample, in its arms neither.
   * @returns whether it did
   */
  async discardUnlessBegun(): Promise<boolean> {
    const entries = await readdir(this.path, { recursive: true, withFileTypes: true });
    for (const { name, parentPath } of entries) {
      if (basename(parentPath) === "checkpoints" || basename(parentPath) === "rollouts") return false;
      if (name === basename(this.metrics) && (await stat(join(parentPath, name))).size > 0) return false;
    }
    await rm(this.path, { recursive: true, force: true });
    return true;
  }

  /** The attempt that works on this run now; undefined when none does. */
  liveAttempt(): Promise<{ readonly attempt: number; readonly pid: number } | undefined> {
    return liveAttempt(join(this.path, "attempts"));
  }
}

/** Every run below a root, by number. @throws RUNS_FOLDER_NOT_USABLE */
export async function listRuns(root: string): Promise<readonly RunDirectory[]> {
  const names = (await runsIn(root)).map(({ name }) => join(root, name));
  const runs = await Promise.all(names.map((path) => RunDirectory.open(path).catch(() => undefined)));
  return runs.filter((run) => run !== undefined);
}

/**
 * Finds a run by its number ("7"), its folder name ("0007-demo"), its name ("demo": the newest of them) or a path; the
 * newest when nothing is asked for.
 * @throws RUN_NOT_FOUND, RUNS_FOLDER_NOT_USABLE
 */
export async function findRun(root: string, wanted?: string): Promise<RunDirectory> {
  const runs = await runsIn(root);
  const found =
    wanted === undefined
      ? runs.at(-1)
      : (runs.find(({ name, number }) => name === wanted || (/^\d+$/.test(wanted) && number === Number(wanted))) ??
        runs.findLast(({ name }) => name.replace(/^\d+-/, "") === wanted));
  if (found !== undefined) return RunDirectory.open(join(root, found.name));
  if (wanted !== undefined && (await exists(join(wanted, "run.json")))) return RunDirectory.open(wanted);
  throw errors.runNotFound({ wanted, root, known: runs.map(({ name }) => name) });
}

/** The runs below a root, by number. */
async function runsIn(root: string): Promise<readonly { readonly name: string; readonly number: number }[]> {
  const names = await readdir(root).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw asRunsFolderError(root, cause);
  });
  return names
    .filter((name) => /^\d{4,}-/.test(name))
    .map((name) => ({ name, number: Number.parseInt(name, 10) }))
    .toSorted((a, b) => a.number - b.number);
}

/** A path that is, or leads through, something else than a folder; every other failure as it is. */
function asRunsFolderError(root: string, cause: unknown): unknown {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code !== "ENOTDIR" && code !== "EEXIST" && code !== "ENOENT") return cause;
  const problem = code === "ENOENT" ? "it cannot be made there" : "it is, or lies in, something that is no folder";
  return errors.runsFolderNotUsable({ root, problem }, cause);
}

function slug(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "") || "run"
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (cause: unknown) => {
      if (isMissing(cause)) return false;
      throw cause;
    },
  );
}

/** Makes a folder; false when it was there already. */
async function makeDirectory(path: string): Promise<boolean> {
  return mkdir(path).then(
    () => true,
    (cause: unknown) => {
      if (alreadyExists(cause)) return false;
      throw cause;
    },
  );
}
