import { systemClock, type JsonObject, type JudgeOptions, type Verdict } from "@troupe/core/sdk";
import type { CodeCase } from "./code-case.js";
import { errorIn } from "./error-line.js";
import { stampOf, type Execution, type Limits, type Sandbox } from "./sandbox.js";
import { planTests, type TestPlan } from "./plan-tests.js";

/** Who a verdict on a program is from. */
export const CODE_VERIFIER = { verifier: "code", version: "1.0.0" } as const;

type Found = Pick<Verdict, "kind" | "reason"> & { readonly score?: number };

/** One test of a program, as `parts.trace` lists it. */
interface TestRecord {
  readonly test: number;
  readonly found: string;
  readonly cpuMs?: number;
  readonly wallMs?: number;
  readonly peakMb?: number;
}

/**
 * Runs a program on its tests behind a boundary. pass means that every test passed; `parts` says how many did, what they
 * took, and which boundary it was.
 *
 * fail: the program's own doing, with one of the reasons wrong-answer, runtime-error, compile-error, time-limit,
 * total-time-limit, memory-limit, output-limit, tampering. error: the case's fault, such as a case without tests. infra:
 * the boundary gave way twice, and nothing is known about the program.
 */
export async function verifyCode(one: CodeCase, sandbox: Sandbox, options: JudgeOptions = {}): Promise<Verdict> {
  const started = systemClock.now();
  const records: TestRecord[] = [];
  let found = await judge(one, sandbox, records);
  if (found.reason.startsWith("total-time-limit")) {
    // The limit on all tests is one that a busy machine brings about too: it counts when it is met twice.
    records.length = 0;
    found = await judge(one, sandbox, records);
  }
  const passed = records.filter(({ found }) => found === "passed").length;
  const sum = (key: "cpuMs" | "wallMs") => Math.round(records.reduce((total, record) => total + (record[key] ?? 0), 0));
  const parts: JsonObject = {
    tests: one.tests.length,
    ran: records.length,
    passed,
    passRate: one.tests.length === 0 ? 0 : passed / one.tests.length,
    cpuMs: sum("cpuMs"),
    wallMs: sum("wallMs"),
    peakMb: Math.round(Math.max(0, ...records.map(({ peakMb }) => peakMb ?? 0))),
    ...stampOf(sandbox.tier),
    ...(options.explain === true
      ? { trace: records.map(({ test, found, ...rest }) => ({ step: `test ${test}`, says: found, ...rest })) }
      : {}),
  };
  return { ...found, parts, ...CODE_VERIFIER, ms: systemClock.now() - started };
}

async function judge(one: CodeCase, sandbox: Sandbox, records: TestRecord[]): Promise<Found> {
  if (one.tests.length === 0) return { kind: "error", reason: "no-tests: a program without tests has not been tested" };
  if (!sandbox.languages.includes(one.language))
    return { kind: "infra", reason: `no-interpreter: this boundary does not run ${one.language}` };
  if (!sandbox.modes.includes(one.mode))
    return { kind: "infra", reason: `no-interpreter: this boundary does not run tests of mode ${one.mode}` };
  const limits: Limits = {
    testMs: one.limits.testMs,
    memoryMb: one.limits.memoryMb,
    outputBytes: one.limits.outputKb * 1024,
  };
  const plan = planTests(one, sandbox, limits);
  if (typeof plan === "string") return { kind: "error", reason: `unusable-tests: ${plan}` };
  const { session } = plan;
  let failure: Found | undefined;
  let spentMs = 0;
  const totalMs = one.limits.totalMs ?? wallLimitMs(plan.tests.length, limits.testMs);
  try {
    for (const [index, test] of plan.tests.entries()) {
      if (spentMs > totalMs) {
        failure ??= {
          kind: "fail",
          score: 0,
          reason: `total-time-limit: ${Math.round(spentMs)} ms after ${index} of ${plan.tests.length} tests`,
        };
        break;
      }
      let execution = await session.run(test.input);
      // A sandbox that gave way says nothing about the program: once more in another one.
      if (execution.kind === "infra") execution = await session.run(test.input);
      const wrong = await wrongWith(execution, test, plan);
      records.push({
        test: index + 1,
        found: wrong?.reason ?? "passed",
        ...("cpuMs" in execution ? { cpuMs: round(execution.cpuMs), peakMb: round(execution.peakMb) } : {}),
        ...("wallMs" in execution ? { wallMs: round(execution.wallMs) } : {}),
      });
      if ("wallMs" in execution) spentMs += execution.wallMs;
      if (wrong === undefined) continue;
      const [head = "", ...rest] = wrong.reason.split(": ");
      const reason = `${head}: test ${index + 1} of ${plan.tests.length}${rest.length === 0 ? "" : `: ${rest.join(": ")}`}`;
      failure ??= { ...wrong, reason };
      // What is no failure of the program ends the judging, as does a failure of all tests alike.
      if (wrong.kind !== "fail") return { ...wrong, reason };
      if (!one.runAll || execution.kind === "compile-error") break;
    }
  } finally {
    await plan.close();
  }
  return (
    failure ?? { kind: "pass", score: 1, reason: `all-passed: ${plan.tests.length} of ${plan.tests.length} tests` }
  );
}

/** What is wrong with one execution; undefined when the test is passed. */
async function wrongWith(
  execution: Execution,
  test: TestPlan["tests"][number],
  plan: TestPlan,
): Promise<Found | undefined> {
  const fail = (reason: string): Found => ({ kind: "fail", score: 0, reason });
  switch (execution.kind) {
    case "finished":
      if (execution.exitCode !== 0) return fail(`runtime-error: ${endOf(execution)}`);
      return plan.compare(execution.output, test);
    case "time-limit":
      return fail(`time-limit: no answer within ${Math.round(execution.wallMs)} ms`);
    case "output-limit":
      return fail(`output-limit: ${execution.bytes} bytes`);
    case "broken-test":
      return { kind: "error", reason: `unusable-tests: ${execution.says}` };
    case "infra":
      return { kind: "infra", reason: `sandbox: ${execution.says}` };
    default:
      return fail(`${execution.kind}: ${execution.says}`);
  }
}

function endOf({ exitCode, stderr }: Extract<Execution, { kind: "finished" }>): string {
  const error = errorIn(stderr);
  const how = exitCode < 0 ? `ended by signal ${-exitCode}` : `exit code ${exitCode}`;
  return error === "" ? how : `${error} (${how})`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** LiveCodeBench's limit for all tests of a problem: a second more for each than it may take, and five seconds. */
export function wallLimitMs(tests: number, testMs: number): number {
  return (testMs + 1000) * tests + 5000;
}
