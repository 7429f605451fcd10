import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const REAL_ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A lock file with one package for every machine and one for none that runs tests. */
export const LOCK = {
  packages: {
    "": { name: "troupe" },
    core: { name: "@troupe/core", version: "0.1.0" },
    "node_modules/typescript": { version: "7.0.0", integrity: "sha512-a" },
    "node_modules/elsewhere": { version: "1.0.0", integrity: "sha512-b", optional: true, os: ["nowhere"] },
  },
};

/** What npm, tsc and the native build do, as JavaScript; each leaves a line in `calls`. */
const STAND_INS = {
  npm: `
    const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
    delete lock.packages[""];
    delete lock.packages["node_modules/elsewhere"];
    mkdirSync("node_modules/typescript/bin", { recursive: true });
    copyFileSync("stand-ins/tsc.mjs", "node_modules/typescript/bin/tsc");
    writeFileSync("node_modules/.package-lock.json", JSON.stringify(lock));`,
  tsc: `
    mkdirSync("core/dist/cli", { recursive: true });
    copyFileSync("stand-ins/main.mjs", "core/dist/cli/main.js");`,
  native: "",
  sandbox: "",
  main: "export function main(argv) { console.log(JSON.stringify(argv)); process.exitCode = 7; }",
};

/** A repository with the real set-up scripts and stand-ins for the tools that they call. */
export class ScratchRepository {
  readonly root = mkdtempSync(join(tmpdir(), "troupe-setup-"));

  constructor() {
    for (const folder of ["core/setup", "core/bin"])
      cpSync(join(REAL_ROOT, folder), join(this.root, folder), { recursive: true });
    this.write("package.json", '{ "type": "module" }');
    this.write("package-lock.json", JSON.stringify(LOCK));
    for (const [name, code] of Object.entries(STAND_INS)) this.replace(name, code);
    this.write("tools/c++", "#!/bin/sh\nexit 0\n");
    chmodSync(join(this.root, "tools/c++"), 0o755);
  }

  /** Gives a stand-in (npm, tsc, native, sandbox, main) other code; tsc and main are copied when npm and tsc run. */
  replace(name: string, code: string): void {
    const head = `
      import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
      appendFileSync("calls", ${JSON.stringify(name)} + "\\n");`;
    const places: Readonly<Record<string, string>> = {
      npm: "stand-ins/npm-cli.mjs",
      native: "gpu/build.mjs",
      sandbox: "environments/build.mjs",
    };
    this.write(places[name] ?? `stand-ins/${name}.mjs`, `${head}\n${code}`);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true });
  }

  /** Tools called since the last time that this was asked. */
  takeCalls(): string[] {
    const path = join(this.root, "calls");
    if (!existsSync(path)) return [];
    const calls = readFileSync(path, "utf8").trim().split("\n");
    rmSync(path);
    return calls;
  }

  /** Runs node with these arguments to its end. */
  run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): { exitCode: number | null; stdout: string; stderr: string } {
    const result = spawnSync(process.execPath, args, {
      cwd: this.root,
      env: { ...this.#env(), ...env },
      encoding: "utf8",
    });
    return { exitCode: result.status, stdout: result.stdout, stderr: result.stderr };
  }

  /** Starts node with these arguments. */
  start(args: readonly string[]): ChildProcess {
    return spawn(process.execPath, args, { cwd: this.root, env: this.#env(), stdio: ["ignore", "pipe", "ignore"] });
  }

  dispose(): void {
    rmSync(this.root, { recursive: true });
  }

  #env(): Record<string, string> {
    return { PATH: join(this.root, "tools"), npm_execpath: join(this.root, "stand-ins/npm-cli.mjs") };
  }
}
