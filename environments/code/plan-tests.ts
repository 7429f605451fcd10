import type { Verdict } from "@troupe/core/sdk";
import type { CodeCase } from "./code-case.js";
import { outputDifference } from "./compare-output.js";
import { equalValues } from "./compare-values.js";
import { AssertSession } from "./assert-session.js";
import type { Limits, Sandbox, Session } from "./sandbox.js";
import { SpecialJudge } from "./special-judge.js";
import { decodeValue, showValue, valueOf, type Value } from "./value-codec.js";

/** One test: what goes in, and what the harness keeps for itself. */
export interface PlannedTest {
  readonly input: string;
  readonly expected: unknown;
}

/** A case made ready to run. */
export interface TestPlan {
  readonly session: Session;
  readonly tests: readonly PlannedTest[];
  /** What is wrong with an output; undefined when nothing is. */
  compare(output: string, test: PlannedTest): Difference | Promise<Difference>;
  /** Ends the session, and what comparing needed. */
  close(): Promise<void>;
}

/** What speaks against an output, as a verdict says it. */
export type Difference = Pick<Verdict, "kind" | "reason" | "score"> | undefined;

/**
 * Turns a case into inputs for the sandbox and expectations for the harness.
 *
 * @returns words when the tests cannot be read
 */
export function planTests(one: CodeCase, sandbox: Sandbox, limits: Limits): TestPlan | string {
  if (one.mode === "stdin") return planRuns(one, sandbox, limits);
  if (one.mode === "function") return planCalls(one, sandbox, limits);
  const { language, program: source, functionName, setup } = one;
  const session = new AssertSession(sandbox, { language, source, functionName }, setup, limits);
  return {
    session,
    tests: one.tests.map((input) => ({ input, expected: undefined })),
    compare: (output) => (output === "" ? undefined : wrong(output)),
    close: () => session.close(),
  };
}

function planRuns(one: Extract<CodeCase, { mode: "stdin" }>, sandbox: Sandbox, limits: Limits): TestPlan {
  const { language, program: source, checker, tolerance } = one;
  const tests = one.tests.map(({ input, output }) => ({ input, expected: output }));
  const session = sandbox.open({ language, source, mode: "stdin" }, limits);
  if (typeof checker === "object") {
    const judge = new SpecialJudge(sandbox, { language: checker.language, source: checker.program }, limits);
    return {
      session,
      tests,
      compare: (output, test) => judge.compare(output, test),
      close: async () => void (await Promise.all([session.close(), judge.close()])),
    };
  }
  return {
    session,
    tests,
    compare(output, test) {
      const difference = outputDifference(output, String(test.expected), checker, tolerance);
      return difference === undefined ? undefined : wrong(difference);
    },
    close: () => session.close(),
  };
}

function wrong(says: string): Difference {
  return { kind: "fail", score: 0, reason: `wrong-answer: ${says}` };
}

function planCalls(one: Extract<CodeCase, { mode: "function" }>, sandbox: Sandbox, limits: Limits): TestPlan | string {
  const { language, program: source, functionName, tolerance } = one;
  const tests: PlannedTest[] = [];
  for (const [index, test] of one.tests.entries()) {
    if ("args" in test) tests.push({ input: JSON.stringify(test.args), expected: valueOf(test.expected) });
    else {
      // One argument a line, each of them JSON: LiveCodeBench's and APPS' way.
      const input = `[${test.input
        .split("\n")
        .filter((line) => line.trim() !== "")
        .join(",")}]`;
      try {
        decodeValue(input);
        tests.push({ input, expected: decodeValue(test.output) });
      } catch (error) {
        return `test ${index + 1} is no JSON: ${String(error)}`;
      }
    }
  }
  const session = sandbox.open({ language, source, mode: "function", functionName }, limits);
  return {
    session,
    tests,
    compare(output, test) {
      // The loop above made it.
      const expected = test.expected as Value;
      let actual: Value;
      try {
        actual = decodeValue(output);
      } catch {
        return { kind: "fail", score: 0, reason: "runtime-error: the program ended before its function returned" };
      }
      return equalValues(actual, expected, tolerance)
        ? undefined
        : wrong(`got ${showValue(actual)}, want ${showValue(expected)}`);
    },
    close: () => session.close(),
  };
}
