import { createHash } from "node:crypto";
import { readlinkSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { processStart } from "./process-start.js";

/**
 * Makes a folder for as long as this process lives, among the system's temporary files. Whoever makes it removes it; what a
 * process left that was killed is removed when the next folder of the same name is made. The folder's name says whose it
 * is: process ids are only compared where they mean the same, on one host and in one process namespace.
 *
 * @param name what it is for: letters, digits and hyphens
 */
export async function makeScratchFolder(name: string): Promise<string> {
  const place = placeOfIds();
  const prefix = `${name}-${place}-`;
  for (const found of await readdir(tmpdir())) {
    if (!found.startsWith(prefix)) continue;
    const [pid = "", start] = found.slice(prefix.length).split("-");
    if (processStart(Number(pid)) === start) continue;
    // Another user's, or one that somebody else removes right now: the next one to come tries again.
    await rm(join(tmpdir(), found), { recursive: true, force: true }).catch(() => {});
  }
  return mkdtemp(join(tmpdir(), `${prefix}${process.pid}-${processStart(process.pid) ?? ""}-`));
}

function placeOfIds(): string {
  let namespace = "";
  try {
    namespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // There is one namespace where there is no /proc.
  }
  return createHash("sha256").update(`${hostname()} ${namespace}`).digest("hex").slice(0, 8);
}
