import { spawnSync } from "node:child_process";

/** Name of a C++ compiler that answers, `$CXX` alone when it is set; undefined when there is none. */
export function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  // Asking beats looking: macOS has a c++ that only says how to install one. CXX may carry flags.
  return candidates.find((candidate) => {
    const [command, ...flags] = candidate.trim().split(/\s+/);
    return spawnSync(command, [...flags, "--version"], { stdio: "ignore" }).status === 0;
  });
}
