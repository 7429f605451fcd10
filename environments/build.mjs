// Builds the native part of the code sandbox, build/launcher and build/fork-server.so, on Linux with a C++17 compiler:
// `node environments/build.mjs`. Elsewhere there is nothing to build. Built again when a source or the compiler's name changes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const sources = join(root, "code", "native");
/** Ways to link, the first that works: a file without libraries starts faster, but not every distribution has the means. */
const TARGETS = [
  { name: "launcher", source: "launcher.cc", linkings: [["-static"], ["-static-libstdc++"]] },
  {
    name: "fork-server.so",
    source: "fork-server.cc",
    linkings: [
      ["-shared", "-fPIC", "-static-libstdc++", "-static-libgcc"],
      ["-shared", "-fPIC"],
    ],
  },
];

if (process.platform === "linux") for (const target of TARGETS) build(target);

function build({ name, source, linkings }) {
  const target = join(root, "build", name);
  const stampPath = `${target}.stamp`;
  const compilers = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  const hash = createHash("sha256");
  for (const file of [source, "boundary.h"]) hash.update(readFileSync(join(sources, file)));
  const stamp = hash.update(compilers.join("\0")).update(process.arch).digest("hex");
  if (existsSync(target) && existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp) return;
  mkdirSync(dirname(target), { recursive: true });
  // A running sandbox has the old file open: write beside it and rename.
  const temporary = `${target}.${process.pid}`;
  let output = "";
  for (const compiler of compilers) {
    const [command, ...flags] = compiler.trim().split(/\s+/);
    for (const linking of linkings) {
      const options = ["-std=c++17", "-O2", "-Wall", "-Wextra", ...linking, "-o", temporary, join(sources, source)];
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
  console.error(`${output}Cannot build the sandbox's ${name}: no compiler of ${compilers.join(", ")} made it`);
  process.exitCode = 1;
}
