import type { GuestLimits } from "../guests/guest-pool.js";
import type { Language } from "../sandbox.js";
import { findInterpreter } from "./interpreter.js";

/** What an interpreter takes beyond the program's own memory, MiB. */
const OVERHEAD_MB: Readonly<Record<Language, number>> = { python: 64, javascript: 192 };
const PROCESSES = 64;
const DISK_MB = 64;
const FILE_MB = 16;

/** What the launcher is told about a guest; undefined where there is no interpreter for it. */
export function launchArguments(
  language: Language,
  { memoryMb }: GuestLimits,
  cgroups: readonly string[],
): readonly string[] | undefined {
  const interpreter = findInterpreter(language, memoryMb);
  if (interpreter === undefined) return undefined;
  const totalMb = memoryMb + OVERHEAD_MB[language];
  const numbers = {
    // V8 reserves far more addresses than it uses: its heap has a limit of its own.
    "--memory-mb": language === "python" ? totalMb : 0,
    "--total-mb": totalMb,
    "--processes": PROCESSES,
    "--disk-mb": DISK_MB,
    "--file-mb": FILE_MB,
    // Python raises its own; Node cannot.
    "--stack-mb": language === "python" ? 8 : 120,
  };
  return [
    ...Object.entries(numbers).flatMap(([name, value]) => [name, String(value)]),
    ...cgroups.flatMap((path) => ["--cgroup", path]),
    ...interpreter.view,
    "--",
    ...interpreter.command,
  ];
}
