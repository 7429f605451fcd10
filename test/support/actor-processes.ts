import { readdirSync, readFileSync } from "node:fs";

/** Ids of the processes that a process started for its actors, oldest first; on Linux. */
export function actorProcessesOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .flatMap((name) => {
      try {
        const [, , , ppid] = readFileSync(`/proc/${name}/stat`, "utf8")
          .replace(/\(.*\)/, "()")
          .split(" ");
        const isActor = readFileSync(`/proc/${name}/cmdline`, "utf8").includes("process-main");
        return Number(ppid) === parent && isActor ? [Number(name)] : [];
      } catch {
        // No process, or one that ended meanwhile.
        return [];
      }
    })
    .toSorted((a, b) => a - b);
}
