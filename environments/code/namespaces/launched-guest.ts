import { spawn } from "node:child_process";
import type { GuestChannel } from "../guests/guest.js";
import { brokenEnd, endOf } from "./guest-end.js";

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
      child.on("error", ({ message }) => resolve(brokenEnd(message)));
      child.on("close", () => resolve(endOf(/^end (.*)$/m.exec(stderr)?.[1] ?? "", stderr)));
    }),
    // The launcher sees its stdin close, kills process 1 of the namespace and clears its cgroups; killed itself it could
    // not do the last.
    kill: () => void child.stdin.destroy(),
  };
}
