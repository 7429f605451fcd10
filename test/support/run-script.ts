import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How a script ended. */
export interface ScriptEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const root = new URL("../../", import.meta.url).href;

/**
 * Runs JavaScript in a process of its own, for what could end or outlive the test runner. `CORE` and `SUPPORT` in its
 * import paths stand for the built folders core/dist/src and test/dist/support.
 */
export async function runScript(source: string): Promise<ScriptEnd> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-script-"));
  try {
    const file = join(folder, "script.mjs");
    await writeFile(
      file,
      source.replaceAll("CORE/", `${root}core/dist/src/`).replaceAll("SUPPORT/", `${root}test/dist/support/`),
    );
    const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    return await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
