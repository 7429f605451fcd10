import { spawn } from "node:child_process";
import { Worker } from "node:worker_threads";

/** Milliseconds from the start of an empty thread or process to its first word: the least that a restart there takes. */
export async function bareStartMs(at: "thread" | "process"): Promise<number> {
  const start = performance.now();
  if (at === "thread") {
    const worker = new Worker('require("node:worker_threads").parentPort.postMessage(1)', { eval: true });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await new Promise((resolve) => worker.once("message", resolve));
    const took = performance.now() - start;
    await ended;
    return took;
  }
  const child = spawn(process.execPath, ["-e", "process.stdout.write('1')"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const took = performance.now() - start;
  await ended;
  return took;
}
