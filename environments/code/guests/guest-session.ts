import { systemClock } from "@troupe/core/sdk";
import type { AnswerCall, Execution, Limits, Program, Session } from "../sandbox.js";
import type { Frame } from "./frame-reader.js";
import { Guest, type Silence } from "./guest.js";
import type { GuestPool } from "./guest-pool.js";

/** Compiling is no test: it has at least this long. */
const LOAD_DEADLINE_MS = 10_000;
const MIB = 2 ** 20;

/** One program in guests of its own: one as long as it behaves, another one after it was ended. */
export class GuestSession implements Session {
  readonly #pool: GuestPool;
  readonly #program: Program;
  readonly #limits: Limits;
  #guest: Guest | undefined;
  #nonce = 0;

  constructor(pool: GuestPool, program: Program, limits: Limits) {
    this.#pool = pool;
    this.#program = program;
    this.#limits = limits;
  }

  async run(input: string, answerCall?: AnswerCall): Promise<Execution> {
    if (this.#guest?.isAlive !== true) {
      const problem = await this.#load();
      if (problem !== undefined) return problem;
    }
    // #load() has just set it.
    const guest = this.#guest as Guest;
    const { testMs, outputBytes } = this.#limits;
    // The guest has to say the number back: an answer sent ahead of its test is found out.
    const nonce = String(++this.#nonce);
    const started = systemClock.now();
    guest.send(`test ${nonce} ${Math.ceil(testMs / 1000) + 1} ${outputBytes}`, Buffer.from(input));
    let frame = await guest.receive(testMs);
    while ("words" in frame && frame.words[0] === "call" && answerCall !== undefined) {
      guest.send("return", Buffer.from(await answerCall(frame.payload.toString())));
      frame = await guest.receive(Math.max(0, started + testMs - systemClock.now()));
    }
    const wallMs = systemClock.now() - started;
    if ("silent" in frame) return this.#silence(frame, wallMs);
    return (
      (await this.#finished(guest, frame, nonce, wallMs)) ??
      (await this.#drop({ kind: "tampering", says: "the guest answered out of turn" }))
    );
  }

  async close(): Promise<void> {
    await this.#guest?.close();
    this.#guest = undefined;
  }

  /** Readies a fresh guest with the program; returns what came of it where that is the end of it. */
  async #load(): Promise<Execution | undefined> {
    const guest = await this.#pool.take(this.#program.language, this.#limits);
    if (!(guest instanceof Guest)) return { kind: "infra", says: guest.says };
    this.#guest = guest;
    const { source, mode, functionName = mode === "calls" ? "*" : "-" } = this.#program;
    guest.send(`program ${mode} ${functionName}`, Buffer.from(source));
    const deadlineMs = Math.max(LOAD_DEADLINE_MS, this.#limits.testMs);
    const frame = await guest.receive(deadlineMs);
    if ("silent" in frame) {
      if (frame.silent === "deadline") return this.#drop({ kind: "time-limit", wallMs: deadlineMs });
      return frame.end.isOutOfMemory
        ? { kind: "memory-limit", says: "while the program was compiled" }
        : { kind: "compile-error", says: `the compiler gave up: ${frame.end.says}` };
    }
    if (frame.words[1] === "ok") return undefined;
    return this.#drop({ kind: "compile-error", says: frame.payload.toString() });
  }

  async #silence(silence: Silence, wallMs: number): Promise<Execution> {
    if (silence.silent === "deadline") return this.#drop({ kind: "time-limit", wallMs });
    if (silence.end.problem !== undefined) return { kind: "infra", says: silence.end.problem };
    // V8 ends the process when its heap is full.
    const isHeapFull = this.#program.language === "javascript" && silence.end.exitCode === 134;
    return silence.end.isOutOfMemory || isHeapFull
      ? { kind: "memory-limit", says: "the sandbox ran out of memory" }
      : { kind: "tampering", says: `the guest is gone: ${silence.end.says}` };
  }

  /** What a frame says about a test; undefined when no honest guest would say so. */
  async #finished(guest: Guest, frame: Frame, nonce: string, wallMs: number): Promise<Execution | undefined> {
    const { words, payload } = frame;
    const numbers = words.slice(2).map(Number);
    const [code, cpuUs, peakKb, stdoutBytes, , resultBytes, stdoutSent, stderrSent, resultSent] = numbers;
    if ((words[0] !== "done" && words[0] !== "last") || words[1] !== nonce || numbers.length !== 10) return undefined;
    if (code === undefined || cpuUs === undefined || peakKb === undefined || stdoutBytes === undefined)
      return undefined;
    if (stdoutSent === undefined || stderrSent === undefined || resultSent === undefined) return undefined;
    // What ended its process on purpose is no guest for another test.
    if (words[0] === "last") await this.close();
    const isCall = this.#program.mode === "function" || this.#program.mode === "calls";
    const bytes = (isCall ? resultBytes : stdoutBytes) ?? 0;
    if (bytes > this.#limits.outputBytes) return { kind: "output-limit", bytes };
    const stderr = payload.toString("utf8", stdoutSent, stdoutSent + stderrSent);
    if (code === -9) {
      // Only the launcher knows whether the kernel did it; it says so at the end.
      await guest.close();
      if ((await guest.ended).isOutOfMemory)
        return { kind: "memory-limit", says: `peak ${Math.ceil(peakKb / 1024)} MiB` };
    }
    if (code !== 0 && /^MemoryError\b/m.test(stderr)) return { kind: "memory-limit", says: "MemoryError" };
    return {
      kind: "finished",
      output: isCall
        ? payload.toString("utf8", stdoutSent + stderrSent, stdoutSent + stderrSent + resultSent)
        : payload.toString("utf8", 0, stdoutSent),
      stderr,
      exitCode: code,
      cpuMs: cpuUs / 1000,
      wallMs,
      peakMb: (peakKb * 1024) / MIB,
    };
  }

  /** Ends the guest along with the program; the next test gets a fresh one. */
  async #drop(execution: Execution): Promise<Execution> {
    await this.close();
    return execution;
  }
}
