import type { JsonObject } from "@troupe/core/sdk";

/** Languages that programs can be judged in. */
export const LANGUAGES = ["python", "javascript"] as const;

/** One of the languages that programs can be judged in. */
export type Language = (typeof LANGUAGES)[number];

/**
 * How tests talk to a program: by a run from stdin to stdout; by a call of one function; by calls that name their function.
 * "asserts": the program is what tests build on, and each input the source of a test, which calls functions elsewhere.
 */
export type ProgramMode = "stdin" | "function" | "calls" | "asserts";

/** An untrusted program, and how its tests talk to it. */
export interface Program {
  readonly language: Language;
  readonly source: string;
  readonly mode: ProgramMode;
  /** The function that each test calls, or in "asserts" the one that lies elsewhere. */
  readonly functionName?: string;
}

/** Answers a call that a test makes: `{fn, args, kwargs}` as JSON in, `{value}` or `{error}` as JSON out. */
export type AnswerCall = (call: string) => Promise<string>;

/** What a program may take. */
export interface Limits {
  /** Wall time of one test, milliseconds. */
  readonly testMs: number;
  /** Memory of the program in MiB, all its processes together. */
  readonly memoryMb: number;
  /** Bytes that a test may write to stdout. */
  readonly outputBytes: number;
}

/** How one test of a program ended. What a program did wrong and what kept the sandbox from finding out stay apart. */
export type Execution =
  | {
      readonly kind: "finished";
      /** What was written to stdout, or in a call the encoded result; see `value-codec.ts`. */
      readonly output: string;
      readonly stderr: string;
      /** The exit code, or minus the number of the signal that ended the program. */
      readonly exitCode: number;
      readonly cpuMs: number;
      readonly wallMs: number;
      readonly peakMb: number;
    }
  | { readonly kind: "compile-error"; readonly says: string }
  | { readonly kind: "time-limit"; readonly wallMs: number }
  | { readonly kind: "output-limit"; readonly bytes: number }
  | { readonly kind: "memory-limit"; readonly says: string }
  /** The program ended what watches over it, or answered out of turn. */
  | { readonly kind: "tampering"; readonly says: string }
  /** A test that is a program itself is none: the task's fault. */
  | { readonly kind: "broken-test"; readonly says: string }
  /** The boundary gave way or could not be set up; nothing is known about the program. */
  | { readonly kind: "infra"; readonly says: string };

/** One program inside the boundary. Tests run one after another, and none sees what another one left. */
export interface Session {
  /** @param input what stands on stdin, or what else the program's mode says */
  run(input: string, answerCall?: AnswerCall): Promise<Execution>;
  /** Leaves nothing behind: no process, no file, no connection. */
  close(): Promise<void>;
}

/** What stands between a program and the machine, as it is stamped into every verdict. */
export interface Tier {
  /** "A" namespaces, "B" embedded interpreters, "C" a service elsewhere. */
  readonly name: "A" | "B" | "C";
  /** In words, for people: "Linux namespaces, seccomp, cgroup v1 memory+pids". */
  readonly boundary: string;
  /** What this boundary cannot do, in words; empty where nothing is known. */
  readonly limits: readonly string[];
}

/** A boundary that programs run behind. */
export interface Sandbox {
  readonly tier: Tier;
  readonly languages: readonly Language[];
  readonly modes: readonly ProgramMode[];
  /** How many sessions at once keep the machine busy without slowing one another down. */
  readonly atOnce: number;
  /** Resolves at once: what fails while it starts is the answer to its first test. */
  open(program: Program, limits: Limits): Session;
  /** Ends every session and everything kept ready. */
  close(): Promise<void>;
}

/** What a verdict carries about the boundary that it was found behind. */
export function stampOf(tier: Tier): JsonObject {
  return { tier: tier.name, boundary: tier.boundary };
}
