import type { Difference, PlannedTest } from "./plan-tests.js";
import type { Limits, Program, Sandbox, Session } from "./sandbox.js";

/**
 * A task's own program that decides where many outputs are right. It runs behind the same boundary, but in a session of
 * its own, out of the judged program's reach: it alone sees what is expected. On stdin it has one JSON object
 * {input, output, expected}; the first word of its stdout is "accept" or "reject", and words after it are the reason.
 */
export class SpecialJudge {
  readonly #session: Session;

  constructor(sandbox: Sandbox, program: Pick<Program, "language" | "source">, limits: Limits) {
    this.#session = sandbox.open({ ...program, mode: "stdin" }, limits);
  }

  async compare(output: string, { input, expected }: PlannedTest): Promise<Difference> {
    const execution = await this.#session.run(JSON.stringify({ input, output, expected }));
    if (execution.kind === "infra") return { kind: "infra", reason: `sandbox: ${execution.says}` };
    const problem = (says: string): Difference => ({ kind: "error", reason: `checker-failed: ${says}` });
    if (execution.kind !== "finished") return problem(execution.kind);
    if (execution.exitCode !== 0) return problem(execution.stderr.trimEnd().split("\n").at(-1) ?? "");
    const [word = "", ...reason] = execution.output.trim().split(/\s+/);
    if (word === "accept") return undefined;
    if (word !== "reject") return problem(`it printed "${word.slice(0, 40)}" instead of accept or reject`);
    return {
      kind: "fail",
      score: 0,
      reason: `wrong-answer: ${reason.join(" ").slice(0, 200) || "rejected by the checker"}`,
    };
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
