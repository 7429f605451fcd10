import { spawn } from "node:child_process";
import type { GuestChannel, GuestEnd } from "../guests/guest.js";

/** Starts the launcher, which sets the boundary up, starts a guest inside and watches over it. */
export function launchGuest(launcher: string, args: readonly string[]): GuestChannel {
  // An empty environment: nothing of the harness's is passed on.
  const child = spawn(launcher, args, { stdio: ["pipe", "pipe", "pipe"], env: {}, cwd: "/" });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr = (stderr + chunk).slice(-4000);
  });
  return {
    input: child.stdin,
    output: child.stdout,
    ended: new Promise((resolve) => {
      child.on("error", ({ message }) => resolve({ problem: message, isOutOfMemory: false, says: message }));
      child.on("close", (_code, signal) => resolve(readEnd(stderr, signal)));
    }),
    // The launcher sees its stdin close, kills process 1 of the namespace and clears its cgroups; killed itself it could
    // not do the last.
    kill: () => void child.stdin.destroy(),
  };
}

function readEnd(stderr: string, signal: string | null): GuestEnd {
  const problem = /^cannot .*/m.exec(stderr)?.[0];
  const end = /^end exit=(-?\d+) signal=(\d+) oom=(\d+) forks-refused=(\d+) watchdog=(\d)$/m.exec(stderr);
  if (end === null || problem !== undefined) {
    const says = problem ?? `the launcher went down${signal === null ? "" : ` by ${signal}`}: ${stderr.trim()}`;
    return { problem: says, isOutOfMemory: false, says };
  }
  const [, exit, signalNumber, oom, , watchdog] = end;
  return {
    problem: undefined,
    isOutOfMemory: oom !== "0" || watchdog === "1",
    ...(exit === "-1" ? {} : { exitCode: Number(exit) }),
    says: exit === "-1" ? `ended by signal ${signalNumber}` : `exit code ${exit}`,
  };
}
