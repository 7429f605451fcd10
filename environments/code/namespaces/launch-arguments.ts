import type { GuestLimits } from "../guests/guest-pool.js";
import type { Language } from "../sandbox.js";
import { findInterpreter } from "./interpreter.js";

/** What an interpreter takes beyond the program's own memory, MiB. */
const OVERHEAD_MB: Readonly<Record<Language, number>> = { python: 64, javascript: 192 };
const PROCESSES = 64;
const DISK_MB = 64;
const FILE_MB = 16;

/** What the boundary of a guest is made from. */
export interface LaunchArguments {
  /** Of the launcher, or of the fork server: limits and view. */
  readonly boundary: readonly string[];
  readonly command: readonly string[];
  /** Address space of one process, and memory of all of them, MiB. */
  readonly memoryMb: number;
  readonly totalMb: number;
}

/** The arguments for a guest; undefined where there is no interpreter for it. */
export function launchArguments(
  language: Language,
  { memoryMb }: Pick<GuestLimits, "memoryMb">,
  cgroups: readonly string[],
): LaunchArguments | undefined {
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
  const boundary = [
    ...Object.entries(numbers).flatMap(([name, value]) => [name, String(value)]),
    ...cgroups.flatMap((path) => ["--cgroup", path]),
    ...interpreter.view,
  ];
  return { boundary, command: interpreter.command, memoryMb: numbers["--memory-mb"], totalMb };
}
