import { Socket } from "node:net";
import { workerData } from "node:worker_threads";
import { systemClock } from "./clock.js";
import { noteOverMemory } from "./file-board.js";

/** What the guard of an actor's process is started with. */
export interface GuardStart {
  /** A pipe that closes when the parent is gone, however it went. */
  readonly lifeline: number;
  readonly board: number;
  readonly maxMemoryMb: number | undefined;
}

const LOOK_EVERY_MS = 50;

// A thread of its own: the actor's may be in an endless loop, or in native code. process-main.ts alone starts this file.
const { lifeline, board, maxMemoryMb } = workerData as GuardStart;

const end = (): void => void process.kill(process.pid, "SIGKILL");
const pipe = new Socket({ fd: lifeline, readable: true, writable: false });
pipe.on("error", end);
pipe.on("close", end);
pipe.resume();

if (maxMemoryMb !== undefined) look(maxMemoryMb * 2 ** 20);

function look(maxBytes: number): void {
  if (process.memoryUsage.rss() > maxBytes) {
    noteOverMemory(board);
    end();
  }
  systemClock.after(LOOK_EVERY_MS, () => look(maxBytes));
}
