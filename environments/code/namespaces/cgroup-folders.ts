import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

/** Folders below which the launcher may make groups, and what they bound. */
export interface CgroupFolders {
  readonly paths: readonly string[];
  /** In words, for the tier's description; "" where nothing could be had. */
  readonly bounds: string;
}

const ROOT = "/sys/fs/cgroup";

/**
 * Finds out by trying where groups can be made: in version 2 below this process's own group if memory and pids are
 * delegated to it, in version 1 below its groups of both controllers, or below the root.
 */
export function findCgroupFolders(): CgroupFolders {
  const own = ownGroups();
  const unified = join(ROOT, own.get("") ?? "/");
  if (["memory.max", "pids.max"].every((file) => canMake(unified, file)))
    return { paths: [unified], bounds: "cgroup v2 memory+pids" };
  const found = ["memory", "pids"].flatMap((controller) => {
    const limitFile = controller === "memory" ? "memory.limit_in_bytes" : "pids.max";
    const path = [own.get(controller) ?? "/", "/"]
      .map((group) => join(ROOT, controller, group))
      .find((folder) => canMake(folder, limitFile));
    return path === undefined ? [] : [{ controller, path }];
  });
  return {
    paths: found.map(({ path }) => path),
    bounds: found.length === 0 ? "" : `cgroup v1 ${found.map(({ controller }) => controller).join("+")}`,
  };
}

/** Controller → this process's group; "" is version 2. */
function ownGroups(): ReadonlyMap<string, string> {
  if (!existsSync("/proc/self/cgroup")) return new Map();
  const lines = readFileSync("/proc/self/cgroup", "utf8").trimEnd().split("\n");
  return new Map(
    lines.flatMap((line) => {
      const [, controllers = "", path = "/"] = line.split(":");
      return controllers.split(",").map((controller) => [controller, path] as const);
    }),
  );
}

/** Removes what a launcher that was killed could not; a group in use stays, as only an empty one can be removed. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^troupe-(\d+)(?:-\d+)?$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(join(folder, name));
    } catch {
      // Another harness was quicker, or something in it still runs.
    }
  }
}

function canMake(folder: string, limitFile: string): boolean {
  const trial = join(folder, `troupe-trial-${process.pid}-${threadId}`);
  try {
    mkdirSync(trial);
  } catch {
    return false;
  }
  sweep(folder);
  try {
    return existsSync(join(trial, limitFile));
  } finally {
    rmdirSync(trial);
  }
}
