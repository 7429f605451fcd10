import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Ray starts several processes of its own; on a busy machine that takes long. */
const DEADLINE_MS = 120_000;

/** Microseconds of Ray's calls to an actor in another process, and a line for people. */
export interface RayFindings {
  readonly askMicroseconds: number | null;
  readonly note: string;
}

/** Has Ray call an actor from Python, where it is installed. */
export async function rayCalls(count: number): Promise<RayFindings> {
  // This file runs in dist/bench; Python is not compiled and stays in bench.
  const script = fileURLToPath(new URL("../../bench/ray_peer.py", import.meta.url));
  if ((await runPython(["-c", "import ray"])) === undefined)
    return { askMicroseconds: null, note: 'Ray is skipped: `python3 -c "import ray"` fails here.' };
  const said = await runPython([script, String(count)]);
  const askMicroseconds = Number(said?.trim().split("\n").at(-1));
  return Number.isFinite(askMicroseconds)
    ? { askMicroseconds, note: "peer of ask/process: ray.get() of one actor method from Python." }
    : { askMicroseconds: null, note: "Ray is skipped: it gave no figure in time." };
}

function runPython(words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile("python3", words, { timeout: DEADLINE_MS }, (error, stdout) => resolve(error ? undefined : stdout));
  });
}
