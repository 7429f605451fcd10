import { appendFileSync, closeSync, existsSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import type { ActorDefinition } from "../../../core/src/actors/actor.js";

/** What can be done to a bookkeeper while it works. */
export type Misdeed = "throw" | "exit" | "fillMemory" | "segfault" | "hang" | "closePort" | "closeLink" | "reject";

export type BookkeeperProtocol = {
  /** Writes an operation down, once each time that it is called. */
  book: { in: number; out: null };
  /** Like `book`, and takes its time. */
  bookSlowly: { in: number; out: null };
  alive: { in: null; out: number };
  misbehave: { in: Misdeed; out: null };
};

export interface BookkeeperArgs {
  readonly file: string;
  /** This operation ends whoever works on it, before it is written down. */
  readonly poison?: number;
}

const MISDEEDS: Readonly<Record<Misdeed, () => null | Promise<null>>> = {
  throw: () => {
    throw new RangeError("thrown on purpose");
  },
  reject: () => {
    void Promise.reject(new RangeError("nobody awaits this"));
    return new Promise(() => {});
  },
  exit: () => process.exit(3),
  segfault: () => {
    process.kill(process.pid, "SIGSEGV");
    for (;;);
  },
  hang: () => {
    for (;;);
  },
  fillMemory: () => {
    const kept: Uint8Array[] = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(kept.length));
  },
  closePort: () => {
    parentPort?.close();
    return null;
  },
  closeLink: () => {
    // The socket to the parent, as process-files.ts numbers it.
    closeSync(3);
    return null;
  },
};

/** Writes operations into a file, from which everybody can see what was done, and how often. */
export const bookkeeperActor: ActorDefinition<BookkeeperProtocol, BookkeeperArgs, BookkeeperArgs> = {
  name: "bookkeeper",
  module: import.meta.url,
  exportName: "bookkeeperActor",
  init: (args) => args,
  on: {
    book({ file, poison }, operation) {
      if (operation === poison) process.exit(9);
      // A full disk is full at every try: a device stands for it.
      appendFileSync(existsSync(`${file}.full`) ? "/dev/full" : file, `${JSON.stringify({ operation })}\n`);
      return null;
    },
    async bookSlowly(args, operation, ctx) {
      await new Promise<void>((resolve) => void ctx.clock.after(3, resolve));
      appendFileSync(args.file, `${JSON.stringify({ operation })}\n`);
      return null;
    },
    alive: () => process.pid,
    misbehave: (_, misdeed) => MISDEEDS[misdeed](),
  },
};
