import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Folder of everything that can be made again: `TROUPE_HOME`, else `XDG_CACHE_HOME/troupe`, else `~/.cache/troupe`. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment["TROUPE_HOME"]) return resolve(environment["TROUPE_HOME"]);
  return join(environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "troupe");
}

/** Folder of all runs: `TROUPE_RUNS`, else `runs` in the working directory. */
export function runsDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return resolve(environment["TROUPE_RUNS"] ?? "runs");
}
