// What the build scripts share: the C++ compiler, running one, and the stamps that tell what has not changed.
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function fail(cause, fix) {
  console.error(`Cannot build the native engine: ${cause}. ${fix}`);
  process.exit(1);
}

export function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  for (const candidate of candidates) {
    const [command, ...flags] = candidate.split(" ").filter(Boolean);
    try {
      const options = { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
      const version = execFileSync(command, [...flags, "--version"], options).trim();
      const target = execFileSync(command, [...flags, "-dumpmachine"], options).trim();
      return { command, flags, version, target };
    } catch {
      // The next candidate is tried; when none is left the message below names them all.
    }
  }
  return fail(
    `no C++ compiler found (looked for ${candidates.join(", ")})`,
    "Install one (Debian and Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install) or set CXX",
  );
}

/** nvcc and its version, or undefined. $NVCC names another. */
export function findNvcc() {
  for (const command of process.env.NVCC ? [process.env.NVCC] : ["nvcc", "/usr/local/cuda/bin/nvcc"]) {
    try {
      return {
        command,
        version: execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
      };
    } catch {
      // The next candidate is tried; the caller says what it means that there is none.
    }
  }
  return undefined;
}

export function digest(parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}

export function run(command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (stdout || stderr) process.stderr.write(stdout + stderr);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Hashes of what each file of `folder` was made from; `save` writes them down. */
export function openStamps(folder) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "stamps.json");
  const stamps = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  const save = () => {
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(stamps, null, 1));
    renameSync(`${path}.${process.pid}`, path);
  };
  return { stamps, save };
}
