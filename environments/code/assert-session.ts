import { answeredError, errorIn } from "./error-line.js";
import type { Execution, Limits, Program, Sandbox, Session } from "./sandbox.js";

/**
 * Tests that are programs themselves: they assert what a function returns. Test and program run in two sandboxes, and
 * only arguments and results of built-in types pass between them. So a program never sees what is expected of it, and
 * nothing that it returns can claim to be equal to it.
 */
export class AssertSession implements Session {
  readonly #tests: Session;
  readonly #program: Session;

  constructor(sandbox: Sandbox, program: Omit<Program, "mode">, setup: string, limits: Limits) {
    const { functionName = "" } = program;
    this.#tests = sandbox.open({ language: program.language, source: setup, mode: "asserts", functionName }, limits);
    this.#program = sandbox.open({ language: program.language, source: program.source, mode: "calls" }, limits);
  }

  /** A failed assertion is a finished test whose output says what failed; of all else that goes wrong, the first counts. */
  async run(test: string): Promise<Execution> {
    let failure: Execution | undefined;
    let cpuMs = 0;
    let peakMb = 0;
    const execution = await this.#tests.run(test, async (call) => {
      const called = await this.#program.run(call);
      if (called.kind !== "finished") {
        failure ??= called;
        return answeredError(called.kind);
      }
      cpuMs += called.cpuMs;
      peakMb = Math.max(peakMb, called.peakMb);
      // What a test expects to fail is no failure: only an error that ends the test is.
      if (called.exitCode !== 0) return answeredError(errorIn(called.stderr) || `exit code ${called.exitCode}`);
      if (called.output === "") return answeredError("the program ended before its function returned");
      return `{"value":${called.output}}`;
    });
    if (failure !== undefined) return failure;
    if (execution.kind === "compile-error") return { kind: "broken-test", says: execution.says };
    if (execution.kind !== "finished") return execution;
    const both = { ...execution, cpuMs: execution.cpuMs + cpuMs, peakMb: Math.max(execution.peakMb, peakMb) };
    if (execution.exitCode === 0) return { ...both, output: "" };
    const error = errorIn(execution.stderr);
    if (/^SyntaxError\b/.test(error)) return { kind: "broken-test", says: error };
    return /^AssertionError|ERR_ASSERTION/.test(error) ? { ...both, exitCode: 0, output: error } : both;
  }

  async close(): Promise<void> {
    await Promise.all([this.#tests.close(), this.#program.close()]);
  }
}
