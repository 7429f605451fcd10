import { availableParallelism } from "node:os";
import { Guest } from "../guests/guest.js";
import { GuestPool } from "../guests/guest-pool.js";
import { GuestSession } from "../guests/guest-session.js";
import type { Limits, Program, Sandbox, Session } from "../sandbox.js";
import { makeSnapshot, PYODIDE, pyodideFolder, startPyodide } from "./pyodide-process.js";

/** Tier B for Python, or why this machine does not have it and what would give it one. */
export type PyodideProbe = { readonly sandbox: Sandbox } | { readonly missing: string; readonly remedy: string };

/** What the interpreter takes beyond the program's memory, MiB. */
const OVERHEAD_MB = 64;

/** The memory of a booted interpreter: the same bytes for every sandbox of this thread. */
let snapshot: Promise<Buffer | string> | undefined;

/**
 * Tier B for Python: Pyodide, Python in WebAssembly, in a process for each program that may read two folders and nothing
 * else. On every machine that Node runs on. Tries it out before it says that it is there.
 */
export async function openPyodideSandbox({ limits }: { readonly limits: Limits }): Promise<PyodideProbe> {
  const remedy = `npm install --no-save pyodide@${PYODIDE} (14 MB, nothing is fetched when it runs)`;
  const folder = pyodideFolder();
  if (folder === undefined) return { missing: `the package pyodide ${PYODIDE} is not installed`, remedy };
  snapshot ??= makeSnapshot(folder, OVERHEAD_MB + limits.memoryMb);
  const memory = await snapshot;
  if (typeof memory === "string") {
    // Another try may find what was missing for a moment.
    snapshot = undefined;
    return { missing: `Pyodide did not boot: ${memory}`, remedy };
  }
  const pool = new GuestPool(
    async (_language, { memoryMb }) => startPyodide(folder, OVERHEAD_MB + memoryMb, memory),
    1,
  );
  const trial = await pool.start("python", limits);
  if (!(trial instanceof Guest)) {
    await pool.close();
    return { missing: `Pyodide did not wake: ${trial.says}`, remedy };
  }
  pool.keep("python", limits, trial);
  return { sandbox: new PyodideSandbox(pool) };
}

class PyodideSandbox implements Sandbox {
  readonly tier = {
    name: "B",
    boundary: "Pyodide in WebAssembly, a process without rights for each program",
    limits: [
      "Python alone, its standard library alone",
      "no threads, processes, pipes, sockets or timers",
      "limits of memory for the interpreter and for files, not for the process around them",
    ],
  } as const;
  readonly languages = ["python"] as const;
  readonly modes = ["stdin", "function", "calls", "asserts"] as const;
  readonly atOnce = availableParallelism();
  readonly #pool: GuestPool;

  constructor(pool: GuestPool) {
    this.#pool = pool;
  }

  open(program: Program, limits: Limits): Session {
    return new GuestSession(this.#pool, program, limits);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
