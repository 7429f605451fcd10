import type { ActorContext, ActorDefinition } from "../../../core/src/actors/actor.js";
import { ProbeMemory, type SharedCells } from "./probe-memory.js";

/**
 * An actor that shows what the runtime does to it. Its built file can be loaded anywhere.
 *
 * `memory` is shared with the test: cell 0 counts starts, cell 1 disposals, cell 2 + n how often message n ran.
 */
export interface ProbeArgs {
  readonly memory?: SharedCells;
  /** Starts that throw, counted from 1. */
  readonly failingStarts?: readonly number[];
  /** What goes wrong in `init`. */
  readonly startFault?: "hang" | "exit" | "reject";
}

export type ProbeProtocol = {
  echo: { in: unknown; out: unknown };
  /** Marks message n as run. */
  mark: { in: number; out: number };
  /** Like `mark`, but urgent. */
  markUrgently: { in: number; out: number };
  /** Like `mark`, over several turns. */
  markSlowly: { in: number; out: number };
  /** Messages marked so far, in order. */
  marked: { in: null; out: readonly number[] };
  /** Largest number of messages that ran at once. */
  overlap: { in: null; out: number };
  /** May run beside others. */
  beside: { in: number; out: number };
  /** Waits until it is aborted, or for ever. */
  wait: { in: { heedsAbort: boolean }; out: string };
  /** Waits until told to go on; both may run beside others. */
  gate: { in: null; out: null };
  open: { in: null; out: null };
  /** Takes two more turns after its abort. */
  besideUntilAborted: { in: null; out: null };
  throwBeside: { in: null; out: null };
  throw: { in: null; out: null };
  throwLater: { in: null; out: null };
  emit: { in: unknown; out: null };
  /** Takes the size, gives the bytes. */
  bytes: { in: { size: number; moves: boolean }; out: Uint8Array };
};

interface ProbeState {
  readonly memory: ProbeMemory;
  readonly marked: number[];
  readonly gates: (() => void)[];
  running: number;
  overlap: number;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function alone<T>(state: ProbeState, work: () => Promise<T>): Promise<T> {
  state.running += 1;
  state.overlap = Math.max(state.overlap, state.running);
  try {
    return await work();
  } finally {
    state.running -= 1;
  }
}

function mark(state: ProbeState, n: number): number {
  state.memory.add(n + 2);
  state.marked.push(n);
  return n;
}

export const probeActor: ActorDefinition<ProbeProtocol, ProbeState, ProbeArgs> = {
  name: "probe",
  module: import.meta.url,
  exportName: "probeActor",
  urgent: ["markUrgently"],
  interleave: ["beside", "gate", "open", "besideUntilAborted", "throwBeside"],
  async init(args: ProbeArgs) {
    const memory = new ProbeMemory(args.memory ?? new SharedArrayBuffer(8));
    const start = memory.add(0);
    if (args.startFault === "hang") await new Promise(() => {});
    if (args.startFault === "exit") process.exit(4);
    if (args.startFault === "reject" || args.failingStarts?.includes(start))
      throw new RangeError(`start ${start} fails`);
    return { memory, marked: [], gates: [], running: 0, overlap: 0 };
  },
  on: {
    echo: (_, message) => message,
    mark,
    markUrgently: mark,
    markSlowly: (state, n) =>
      alone(state, async () => {
        await turn();
        mark(state, n);
        await turn();
        return n;
      }),
    marked: (state) => [...state.marked],
    overlap: (state) => state.overlap,
    beside: (state, n) =>
      alone(state, async () => {
        await turn();
        await turn();
        return n;
      }),
    wait: (_, { heedsAbort }, ctx: ActorContext) =>
      new Promise((resolve) => {
        ctx.emit("waiting", null);
        if (heedsAbort) {
          ctx.signal.addEventListener("abort", () => {
            ctx.emit("aborted", null);
            resolve("aborted");
          });
        }
      }),
    gate: (state, _, ctx) =>
      new Promise((resolve) => {
        state.gates.push(() => resolve(null));
        ctx.emit("waiting", null);
      }),
    open: (state) => {
      for (const pass of state.gates.splice(0)) pass();
      return null;
    },
    besideUntilAborted: async (state, _, ctx) => {
      ctx.emit("waiting", null);
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      await turn();
      // Cell 2 tells the test that the state was still there.
      if (state.memory.read()[1] === 0) state.memory.add(2);
      return null;
    },
    throwBeside: () => {
      throw new RangeError("thrown beside");
    },
    throw: () => {
      throw Object.assign(new RangeError("thrown at once", { cause: new TypeError("the reason") }), {
        code: "PROBE",
        size: 3,
      });
    },
    throwLater: async () => {
      await turn();
      throw new RangeError("thrown later");
    },
    emit: (_, data, ctx) => {
      ctx.emit("told", data);
      return null;
    },
    bytes: (_, { size, moves }, ctx) => {
      const bytes = new Uint8Array(size).fill(7);
      return moves ? ctx.transfer(bytes, [bytes.buffer]) : bytes;
    },
  },
  dispose(state) {
    state.memory.add(1);
  },
};
