import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { FrameReader } from "../guests/frame-reader.js";
import type { GuestChannel, GuestEnd } from "../guests/guest.js";
import { packageRoot } from "../package-root.js";

/** The version that the guest is written for: it closes what this one has open. */
export const PYODIDE = "314.0.7";

const DISK_MB = 64;
/** Of the JavaScript around the interpreter; programs live in WebAssembly's memory, which has a limit of its own. */
const HEAP_MB = 256;
/** No snapshot of a booted interpreter is larger. */
const MOST_SNAPSHOT_BYTES = 2 ** 28;
/** What the machine may take for a boot, milliseconds; alone it is two seconds. */
const BOOT_DEADLINE_MS = 180_000;

/** The folder of the package pyodide, which is optional; undefined where it is not installed in this version. */
export function pyodideFolder(): string | undefined {
  const require = createRequire(join(packageRoot(), "package.json"));
  try {
    const path = require.resolve("pyodide/package.json");
    // Any package.json is a record.
    const { version } = require(path) as { readonly version?: unknown };
    return version === PYODIDE ? dirname(path) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts a process that may read two folders and do nothing else to the machine, with an interpreter that is woken from
 * a snapshot, or that makes one where the snapshot is empty.
 */
export function startPyodide(folder: string, memoryMb: number, snapshot: Buffer): GuestChannel {
  const guest = join(packageRoot(), "code", "guest");
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission";
  const child = spawn(
    process.execPath,
    [
      "--no-warnings",
      permission,
      `--allow-fs-read=${folder}`,
      `--allow-fs-read=${guest}`,
      "--disallow-code-generation-from-strings",
      `--max-old-space-size=${HEAP_MB}`,
      join(guest, "pyodide-guest.mjs"),
      folder,
    ],
    {
      // Its own stdin and stdout lead nowhere: frames travel on descriptors that nothing else knows.
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      env: process.platform === "win32" ? { SystemRoot: process.env["SystemRoot"] } : {},
      cwd: folder,
    },
  );
  let stderr = "";
  let isKilled = false;
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr = (stderr + chunk).slice(-2000);
  });
  // "pipe" makes both of them.
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  input.on("error", () => {});
  input.write(`boot ${memoryMb} ${DISK_MB} ${snapshot.length}\n`);
  if (snapshot.length > 0) input.write(snapshot);
  return {
    input,
    output,
    ended: new Promise((resolve) => {
      child.on("error", ({ message }) => resolve({ problem: message, isOutOfMemory: false, says: message }));
      child.on("close", (code, signal) => resolve(endOf(code, signal, isKilled, stderr)));
    }),
    kill() {
      isKilled = true;
      child.kill("SIGKILL");
    },
  };
}

function endOf(code: number | null, signal: string | null, isKilled: boolean, stderr: string): GuestEnd {
  const says = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  // Another's SIGKILL is the system's, when the machine has no memory left; V8 ends the process when its heap is full.
  if (signal === "SIGKILL" && !isKilled)
    return { problem: "something else killed the process", isOutOfMemory: false, says };
  const isOutOfMemory = code === 134 || signal === "SIGABRT";
  const error = /^\w*Error.*$/m.exec(stderr)?.[0];
  return {
    problem: undefined,
    isOutOfMemory,
    ...(code === null ? {} : { exitCode: code }),
    says: error === undefined ? says : `${says}: ${error.slice(0, 200)}`,
  };
}

/** Boots an interpreter once, for all that are woken from its memory; words when that does not work. */
export async function makeSnapshot(folder: string, memoryMb: number): Promise<Buffer | string> {
  const channel = startPyodide(folder, memoryMb, Buffer.alloc(0));
  const reader = new FrameReader(MOST_SNAPSHOT_BYTES);
  const frame = new Promise<Buffer>((resolve) =>
    channel.output.on("data", (chunk: Buffer) => {
      const [first] = reader.push(chunk) ?? [];
      if (first?.words[0] === "snapshot") resolve(Buffer.from(first.payload));
    }),
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no interpreter within ${BOOT_DEADLINE_MS} ms`), BOOT_DEADLINE_MS);
  });
  try {
    return await Promise.race([frame, late, channel.ended.then(({ says }) => says)]);
  } finally {
    clearTimeout(timer);
    channel.kill();
    await channel.ended;
  }
}
