// Builds build/launcher, the native part of the code sandbox, on Linux with a C++17 compiler: `node environments/build.mjs`.
// Elsewhere there is nothing to build. It is built again when its source or the compiler's name changes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const source = join(root, "code", "native", "launcher.cc");
const target = join(root, "build", "launcher");
const stampPath = `${target}.stamp`;

if (process.platform === "linux") build();

function build() {
  const compilers = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  const stamp = createHash("sha256")
    .update(readFileSync(source))
    .update(compilers.join("\0"))
    .update(process.arch)
    .digest("hex");
  if (existsSync(target) && existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp) return;
  mkdirSync(dirname(target), { recursive: true });
  // A running sandbox has the old file open: write beside it and rename.
  const temporary = `${target}.${process.pid}`;
  let output = "";
  for (const compiler of compilers) {
    const [command, ...flags] = compiler.trim().split(/\s+/);
    // A file without libraries starts faster, but not every distribution has the means to link one.
    for (const linking of ["-static", "-static-libstdc++"]) {
      const options = ["-std=c++17", "-O2", "-Wall", "-Wextra", linking, "-o", temporary, source];
      const { error, status, stderr } = spawnSync(command, [...flags, ...options], { encoding: "utf8" });
      if (error) break;
      output = stderr;
      if (status !== 0) continue;
      renameSync(temporary, target);
      writeFileSync(stampPath, stamp);
      console.log(`built ${target}`);
      return;
    }
  }
  // Reported and passed over: everything but the strong tier of the sandbox works without it.
  console.error(`${output}Cannot build the sandbox launcher: no compiler of ${compilers.join(", ")} made it`);
  process.exitCode = 1;
}
