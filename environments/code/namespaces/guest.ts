import { spawn, type ChildProcess } from "node:child_process";
import { FrameReader, type Frame } from "./frame-reader.js";

/** Why no frame came: the harness's clock ran out, or the guest is gone. */
export type Silence = { readonly silent: "deadline" } | { readonly silent: "ended"; readonly end: GuestEnd };

/** What the launcher found at a guest's end. */
export interface GuestEnd {
  /** The launcher's own words when it could not set the boundary up. */
  readonly problem: string | undefined;
  readonly isOutOfMemory: boolean;
  /** Of the guest, where it ended by itself. */
  readonly exitCode?: number;
  /** How it went, in words. */
  readonly says: string;
}

/** One launcher process with its guest: frames to it, frames from it, and an end that always comes. */
export class Guest {
  /** Resolves once its launcher is gone, and with it all that ran inside. */
  readonly ended: Promise<GuestEnd>;
  readonly #child: ChildProcess;
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #end: GuestEnd | undefined;
  #isTakenOver = false;

  /** @param command the launcher with its arguments */
  constructor(command: readonly string[], largestFrame: number) {
    const [program = "", ...args] = command;
    // An empty environment: nothing of the harness's is passed on.
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: {}, cwd: "/" });
    const reader = new FrameReader(largestFrame);
    let stderr = "";
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      const frames = this.#isTakenOver ? [] : reader.push(chunk);
      if (frames === undefined) {
        this.#isTakenOver = true;
        this.kill();
      } else if (frames.length > 0) {
        this.#frames.push(...frames);
        this.#wake?.();
      }
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr = (stderr + chunk).slice(-4000);
    });
    // A guest that is gone reads no more; its end says why.
    this.#child.stdin?.on("error", () => {});
    this.ended = new Promise((resolve) => {
      const finish = (end: GuestEnd) => {
        this.#end = end;
        this.#wake?.();
        resolve(end);
      };
      this.#child.on("error", (error) => finish({ problem: error.message, isOutOfMemory: false, says: error.message }));
      this.#child.on("close", (_code, signal) => finish(readEnd(stderr, signal)));
    });
  }

  /** Whether it can still be asked anything. */
  get isAlive(): boolean {
    return this.#end === undefined && !this.#isTakenOver;
  }

  send(head: string, payload: Buffer): void {
    if (!this.isAlive) return;
    this.#child.stdin?.write(`${head} ${payload.length}\n`);
    if (payload.length > 0) this.#child.stdin?.write(payload);
  }

  /** The next frame, or why there is none. One caller at a time. */
  async receive(deadlineMs: number): Promise<Frame | Silence> {
    const first = this.#frames.shift();
    if (first !== undefined) return first;
    if (this.#end !== undefined) return { silent: "ended", end: this.#end };
    let timer: NodeJS.Timeout | undefined;
    const isLate = await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), deadlineMs);
      this.#wake = () => resolve(false);
    });
    clearTimeout(timer);
    this.#wake = undefined;
    const frame = this.#frames.shift();
    if (frame !== undefined) return frame;
    if (isLate) return { silent: "deadline" };
    return { silent: "ended", end: await this.ended };
  }

  /** Ends the launcher's sandbox; `ended` resolves when all of it is gone. */
  kill(): void {
    // The launcher sees its stdin close, kills process 1 of the namespace and clears its cgroups; killed itself it could
    // not do the last.
    this.#child.stdin?.destroy();
  }

  /** Ends it and waits until nothing of it is left. */
  async close(): Promise<void> {
    this.kill();
    await this.ended;
  }
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
