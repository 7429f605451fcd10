import { readFileSync } from "node:fs";

/**
 * When a process started, as its system writes it: with the id it tells a process from a later one with the same id.
 * Undefined when no such process runs. Where there is no `/proc` every running process gives the same answer, so there a
 * re-used process id counts as the old process.
 */
export function processStart(pid: number): string | undefined {
  if (process.platform !== "linux") {
    try {
      process.kill(pid, 0);
      return "running";
    } catch {
      return undefined;
    }
  }
  try {
    // The second field is a name in parentheses that may hold anything, so fields are counted after its end.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const isDead = fields[0] === "Z" || fields[0] === "X";
    return isDead ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
