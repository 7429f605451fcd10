import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

/** One line about the machine: Node, processor, cores, memory. */
export function machineLine(): string {
  const [first] = cpus();
  return `node ${process.versions.node} · ${first?.model.trim() ?? "unknown processor"} · ${cpus().length} cores · ${Math.round(totalmem() / 2 ** 30)} GB`;
}

/** The commit that runs, with "+" when files differ from it; "unknown" outside a checkout. */
export function commitOf(): string {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") ? "+" : "");
  } catch {
    // No git, or no checkout: an installed package.
    return "unknown";
  }
}
