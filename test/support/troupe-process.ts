import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ScriptEnd } from "./run-script.js";

// By the package's name, as this file runs from dist too.
const core = createRequire(import.meta.url).resolve("@troupe/core/package.json");
const executable = join(dirname(core), "bin", "troupe.mjs");

/** Where a process of the command line keeps what it writes. */
export interface TroupeFolders {
  readonly runs: string;
  readonly home: string;
}

/** A place in a command's output. */
export interface OutputPlace {
  /** How the line starts. */
  readonly start: string;
  /** Which of the lines that start so, from 1. */
  readonly count: number;
}

// The built file also where tests run from their sources.
const standStill = new URL("../test/dist/support/stand-still.js", pathToFileURL(dirname(core) + "/")).href;

/** The compiled command line in a process of its own. */
export class TroupeProcess {
  readonly ended: Promise<ScriptEnd>;
  readonly #child: ChildProcess;
  readonly #mayGoOn: string;

  /**
   * @param onLine hears every whole line of stdout as it comes
   * @param standsStillAt where the command stands still, with that line written, until `goOn()`
   */
  constructor(
    args: readonly string[],
    folders: TroupeFolders,
    onLine: (line: string) => void = () => {},
    standsStillAt?: OutputPlace,
  ) {
    this.#mayGoOn = join(folders.home, "may-go-on");
    const env = {
      ...process.env,
      TROUPE_RUNS: folders.runs,
      TROUPE_HOME: folders.home,
      NO_COLOR: "1",
      ...(standsStillAt
        ? {
            NODE_OPTIONS: `--import=${standStill}`,
            TROUPE_STAND_STILL: JSON.stringify({ ...standsStillAt, until: this.#mayGoOn }),
          }
        : {}),
    };
    const child = spawn(process.execPath, [executable, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let stdout = "";
    let stderr = "";
    let heard = 0;
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      for (let end = stdout.indexOf("\n", heard); end >= 0; end = stdout.indexOf("\n", heard)) {
        onLine(stdout.slice(heard, end));
        heard = end + 1;
      }
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends its standing still; a signal that it got before comes first. */
  goOn(): void {
    mkdirSync(dirname(this.#mayGoOn), { recursive: true });
    writeFileSync(this.#mayGoOn, "");
  }
}

/** Runs one command to its end. */
export function runTroupe(args: readonly string[], folders: TroupeFolders): Promise<ScriptEnd> {
  return new TroupeProcess(args, folders).ended;
}

/** The JSON records of a `--json` command; every line of its stdout must be one. */
export function recordsOf(end: ScriptEnd): readonly Record<string, unknown>[] {
  return end.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const record: unknown = JSON.parse(line);
      if (typeof record !== "object" || record === null) throw new TypeError(`not a record: ${line}`);
      return { ...record };
    });
}
