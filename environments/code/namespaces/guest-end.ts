import type { GuestEnd } from "../guests/guest.js";

const END = /^exit=(-?\d+) signal=(\d+) oom=(\d+) forks-refused=\d+ watchdog=(\d)$/;
/** The boundary's own exit code, which no guest has. */
const NO_BOUNDARY = "125";

/**
 * What native code found at a guest's end.
 *
 * @param found its words: "exit=… signal=… oom=… forks-refused=… watchdog=…"
 * @param stderr what it said besides
 */
export function endOf(found: string, stderr: string): GuestEnd {
  const [, exit, signal, oom, watchdog] = END.exec(found) ?? [];
  const complaint = stderr
    .trim()
    .split("\n")
    .findLast((line) => line.startsWith("cannot "));
  if (exit === undefined || exit === NO_BOUNDARY)
    return brokenEnd(complaint ?? `the sandbox went down: ${stderr.trim().slice(-200)}`);
  return {
    problem: undefined,
    isOutOfMemory: oom !== "0" || watchdog === "1",
    ...(exit === "-1" ? {} : { exitCode: Number(exit) }),
    says: exit === "-1" ? `ended by signal ${signal}` : `exit code ${exit}`,
  };
}

/** The end of a guest whose boundary was never there, or broke. */
export function brokenEnd(problem: string): GuestEnd {
  return { problem, isOutOfMemory: false, says: problem };
}
