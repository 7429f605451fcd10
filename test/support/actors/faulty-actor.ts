import type { ActorDefinition } from "../../../core/src/actors/actor.js";

/** What can go wrong in a thread or a process; each message does exactly what its name says. */
export type FaultyProtocol = {
  alive: { in: null; out: number };
  exit: { in: number; out: null };
  detachedRejection: { in: null; out: null };
  outOfMemory: { in: null; out: null };
  overflowStack: { in: null; out: null };
  loopForever: { in: null; out: null };
  replyWithFunction: { in: null; out: unknown };
  errorWithFunction: { in: null; out: null };
  domException: { in: null; out: null };
  throwText: { in: null; out: null };
  /** Answers, and ends its thread in the same turn. */
  answerAndExit: { in: number; out: number };
  replyWithDetached: { in: null; out: unknown };
  processId: { in: null; out: number };
  killMyself: { in: NodeJS.Signals; out: null };
  fillBuffers: { in: null; out: null };
};

function recurse(depth: number): number {
  return recurse(depth + 1) + 1;
}

export const faultyActor: ActorDefinition<FaultyProtocol, { asked: number }, null> = {
  name: "faulty",
  module: import.meta.url,
  exportName: "faultyActor",
  init: () => ({ asked: 0 }),
  on: {
    alive: (state) => (state.asked += 1),
    exit: (_, code) => process.exit(code),
    detachedRejection: () => {
      void Promise.reject(new RangeError("nobody awaits this"));
      return new Promise(() => {});
    },
    outOfMemory: () => {
      const kept: unknown[] = [];
      for (;;) kept.push({ some: "object", at: kept.length });
    },
    overflowStack: () => void recurse(0) as unknown as null, // Never returns.
    loopForever: () => {
      for (;;);
    },
    replyWithFunction: () => ({ call: () => 1 }),
    errorWithFunction: () => {
      throw Object.assign(new Error("has a method"), { code: "ODD", call: () => 1, cause: { retry: () => 2 } });
    },
    domException: () => {
      throw new DOMException("given up", "AbortError");
    },
    throwText: () => {
      throw "just text";
    },
    answerAndExit: (_, n) => {
      queueMicrotask(() => process.exit(3));
      return n;
    },
    processId: () => process.pid,
    killMyself: (_, signal) => {
      process.kill(process.pid, signal);
      for (;;);
    },
    fillBuffers: () => {
      const kept: Uint8Array[] = [];
      for (;;) kept.push(new Uint8Array(1 << 20).fill(kept.length));
    },
    replyWithDetached: () => {
      const bytes = new Uint8Array(8);
      structuredClone(bytes, { transfer: [bytes.buffer] });
      return bytes;
    },
  },
};
