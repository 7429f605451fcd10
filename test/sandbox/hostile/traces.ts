import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** As root, guests are the user of this number plus a process's: of their launcher, or of themselves below a fork server. */
const FIRST_USER = 0x70000000;
const GROUPS = "/sys/fs/cgroup";

/** Guests whose launcher is gone, and children of this process that are launchers; each as a line of words. */
export function processesLeft(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const { uid } = statSync(`/proc/${pid}`);
        const command = commandOf(pid);
        const parent = parentOf(pid);
        const isOrphan = uid >= FIRST_USER && !isWatched(String(uid - FIRST_USER));
        const isOurs = parent === String(process.pid) && /\/launcher |fork_server/.test(command);
        return isOrphan || isOurs ? [`${pid} ${command}`] : [];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

/** Whether a sandbox still has what started it: it is the launcher, or a guest whose parent is a fork server. */
function isWatched(pid: string): boolean {
  return (
    existsSync(`/proc/${pid}`) && (/\/launcher /.test(commandOf(pid)) || /fork_server/.test(commandOf(parentOf(pid))))
  );
}

function commandOf(pid: string): string {
  return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").slice(0, 300);
}

function parentOf(pid: string): string {
  return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "";
}

/** cgroups that a launcher made and did not remove. */
export function groupsLeft(folder = GROUPS, depth = 0): string[] {
  if (depth > 4 || !existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const pid = /^troupe-(\d+)(?:-\d+)?$/.exec(name)?.[1];
      const path = join(folder, name);
      return pid === undefined ? groupsLeft(path, depth + 1) : existsSync(`/proc/${pid}`) ? [] : [path];
    });
}
