import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { CodeCaseInput } from "../../../environments/code/code-case.js";
import { GuestPool } from "../../../environments/code/guests/guest-pool.js";
import { GuestSession } from "../../../environments/code/guests/guest-session.js";
import { launchArguments } from "../../../environments/code/namespaces/launch-arguments.js";
import { launchGuest } from "../../../environments/code/namespaces/launched-guest.js";
import { wallLimitMs } from "../../../environments/code/verify-code.js";
import { judgeStrongly as judge, strongSandbox } from "../../support/strong-sandbox.js";

afterAll(() => strongSandbox?.close());

const SUM = "n = int(input())\nprint(sum(map(int, input().split())))\n";
const sums = [3, 1, 2].map((n) => ({ input: `${n}\n${"7 ".repeat(n)}\n`, output: `${7 * n}\n` }));
const stdin = (program: string, more: Partial<Extract<CodeCaseInput, { mode: "stdin" }>> = {}): CodeCaseInput => ({
  mode: "stdin",
  program,
  tests: sums,
  ...more,
});
const call = (program: string, tests: Extract<CodeCaseInput, { mode: "function" }>["tests"]): CodeCaseInput => ({
  mode: "function",
  functionName: "solve",
  program,
  tests,
});

describe.skipIf(strongSandbox === undefined)("verifyCode() in tier A", () => {
  it("passes a program that passes every test, with what it took and the boundary it ran behind", async () => {
    expect(await judge(stdin(SUM))).toMatchObject({
      kind: "pass",
      score: 1,
      reason: "all-passed: 3 of 3 tests",
      verifier: "code",
      parts: { tests: 3, ran: 3, passed: 3, passRate: 1, tier: "A", boundary: expect.stringContaining("seccomp") },
    });
  });

  it.each([
    ["print(21)", 'wrong-answer: test 2 of 3: line 1: got "21", want "7"'],
    ["print(21, 5)", "wrong-answer: test 1 of 3"],
    ["1/0", "runtime-error: test 1 of 3: ZeroDivisionError: division by zero (exit code 1)"],
    [`${SUM}import sys\nsys.exit(3)`, "runtime-error: test 1 of 3: exit code 3"],
    [`${SUM}import os\nos.kill(os.getpid(), 6)`, "runtime-error: test 1 of 3: ended by signal 6"],
    ["print((", "compile-error: test 1 of 3: SyntaxError: '(' was never closed at line 1"],
    ["x = [0] * 10**10", "memory-limit: test 1 of 3"],
    ["while True: print('x' * 10000)", "output-limit: test 1 of 3"],
    ["import os\nos.kill(os.getppid(), 9)", "wrong-answer: test 1 of 3"],
  ])("fails %j with its reason", async (program, reason) => {
    const verdict = await judge(stdin(program));
    expect(verdict).toMatchObject({ kind: "fail", score: 0 });
    expect(verdict.reason).toContain(reason);
  });

  it("ends a program at its limit, and goes on in a fresh sandbox when all tests are wanted", async () => {
    // The second test alone does not end. The others must not meet the limit on a busy machine.
    const program = "n = int(input())\nimport time\nwhile n == 1: time.sleep(1)\nprint(sum(map(int, input().split())))";
    const limits = { testMs: 5000 };
    const first = await judge(stdin(program, { limits }));
    expect(first).toMatchObject({ kind: "fail", parts: { ran: 2, passed: 1 } });
    expect(first.reason).toMatch(/^time-limit: test 2 of 3: no answer within \d+ ms$/);
    expect(await judge(stdin(program, { limits, runAll: true }))).toMatchObject({
      kind: "fail",
      reason: expect.stringMatching(/^time-limit: test 2 of 3/),
      parts: { ran: 3, passed: 2, passRate: 2 / 3 },
    });
  });

  it("allows all tests together what LiveCodeBench does (check A6)", () => {
    expect(wallLimitMs(3, 6000)).toBe(26_000);
  });

  it("ends a program at the limit for all tests together", async () => {
    // The second test alone uses it up.
    const program = SUM.replace("\n", "\nimport time\nif n == 1: time.sleep(4.2)\n");
    const verdict = await judge(stdin(program, { limits: { testMs: 60_000, totalMs: 4000 } }));
    expect(verdict.reason).toMatch(/^total-time-limit: \d+ ms after 2 of 3 tests$/);
  });

  it("starts Python guests by the launcher where there is nothing to fork them from", async () => {
    const launcher = fileURLToPath(new URL("../../../environments/build/launcher", import.meta.url));
    const pool = new GuestPool(async (language, limits) => {
      const wanted = launchArguments(language, limits, []);
      return wanted === undefined ? "no Python" : launchGuest(launcher, [...wanted.boundary, "--", ...wanted.command]);
    }, 0);
    const limits = { testMs: 60_000, memoryMb: 128, outputBytes: 1000 };
    const session = new GuestSession(pool, { language: "python", source: SUM, mode: "stdin" }, limits);
    for (const { input, output } of sums)
      expect(await session.run(input)).toMatchObject({ kind: "finished", exitCode: 0, output });
    await session.close();
    await pool.close();
  });

  it("hides from a test what another one left: globals, files, modules, processes", async () => {
    const program = `
import os, builtins
marks = [hasattr(builtins, "seen"), os.path.exists("/box/seen"), os.path.exists("/tmp/deep/er"), "HOME_SEEN" in os.environ]
builtins.seen = True
open("/box/seen", "w").write("x")
os.makedirs("/tmp/deep/er")
os.chmod("/tmp/deep", 0)
os.environ["HOME_SEEN"] = "1"
if os.fork() == 0:
    import time
    time.sleep(100)
n = int(input())
print(sum(map(int, input().split())) if not any(marks) else marks)
`;
    expect(await judge(stdin(program))).toMatchObject({ kind: "pass" });
  });

  it("gives programs what contests give: deep recursion, big integers, threads, /dev/stdin, exit()", async () => {
    const programs = [
      "import sys\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nassert f(50000) == 50000\n" + SUM,
      "assert len(str(7 ** 20000)) > 5000\n" + SUM,
      `import threading\nt = threading.Thread(target=lambda: exec(${JSON.stringify(SUM)}))\nt.start()`,
      "d = open('/dev/stdin').read().split()\nprint(sum(map(int, d[1:])))",
      "import sys\nd = sys.stdin.buffer.read().split()\nsys.stdout.buffer.write(str(sum(map(int, d[1:]))).encode())",
      `${SUM}exit()`,
      `if __name__ == "__main__":\n  ${SUM.replace("\n", "\n  ")}`,
      "import atexit\natexit.register(lambda: print(s))\nn = int(input())\ns = sum(map(int, input().split()))",
      "import os\nd = os.read(0, 10**6).split()\nos.write(1, b'%d' % sum(map(int, d[1:])))",
    ];
    const verdicts = await Promise.all(programs.map((program) => judge(stdin(program))));
    expect(verdicts.map(({ kind, reason }) => `${kind} ${reason}`)).toEqual(
      programs.map(() => "pass all-passed: 3 of 3 tests"),
    );
  });

  it("calls functions and methods of Solution with exact values, and takes names of contests for granted", async () => {
    const tests = [
      { args: [[2, 1], 3], expected: [1, 2, 3] },
      { input: "[5]\n12345678901234567890123", output: "[5, 12345678901234567890123]" },
    ];
    const good = [
      "def solve(a, b): return sorted(a + [b])",
      "def solve(a, b): print('noise'); return tuple(sorted(a + [b]))",
      "class Solution:\n  def solve(self, a: List[int], b: int) -> List[int]:\n    h = a + [b]\n    heapify(h)\n    return [heappop(h) for _ in range(len(h))]",
    ];
    for (const program of good) expect(await judge(call(program, tests)), program).toMatchObject({ kind: "pass" });
    expect((await judge(call("def solve(a, b): return sorted(a)", tests))).reason).toBe(
      "wrong-answer: test 1 of 2: got [1, 2], want [1, 2, 3]",
    );
    expect((await judge(call("def other(a, b): return 1", tests))).reason).toContain(
      "NameError: the program defines no function 'solve'",
    );
    expect((await judge(call("import os\ndef solve(a, b): os._exit(0)", tests))).reason).toBe(
      "runtime-error: test 1 of 2: the program ended before its function returned",
    );
  });

  it("refuses values that are not of built-in types, whatever they say of themselves", async () => {
    const equal = "  def __eq__(self, other): return True\n  def __hash__(self): return 1\n";
    for (const base of ["object", "int", "list", "str", "dict"])
      expect(
        await judge(call(`class E(${base}):\n${equal}def solve(): return E()`, [{ args: [], expected: 7 }])),
        base,
      ).toMatchObject({ kind: "fail", reason: expect.stringContaining("is no value of a built-in type") });
  });

  it("asks a special judge, which runs in a sandbox of its own", async () => {
    const program = "print(int(input()) + 2)";
    const tests = [{ input: "4\n", output: "even" }];
    const checker = (source: string) =>
      ({ language: "python", program: `import json, sys\nd = json.load(sys.stdin)\n${source}` }) as const;
    const found = async (source: string) => judge(stdin(program, { tests, checker: checker(source) }));
    expect(
      await found("print('accept' if int(d['output']) % 2 == 0 and d['expected'] == 'even' else 'reject')"),
    ).toMatchObject({ kind: "pass" });
    expect((await found("print('reject too small')")).reason).toBe("wrong-answer: test 1 of 1: too small");
    expect(await found("1/0")).toMatchObject({
      kind: "error",
      reason: expect.stringContaining("checker-failed: test 1 of 1: ZeroDivisionError"),
    });
    expect(await found("print('maybe')")).toMatchObject({ kind: "error" });
  });

  it("finds a data error in a case without tests, or with tests that are no JSON", async () => {
    expect(await judge(stdin(SUM, { tests: [] }))).toMatchObject({
      kind: "error",
      reason: expect.stringMatching(/^no-tests/),
    });
    const verdict = await judge(call("def solve(a): return a", [{ input: "nope", output: "1" }]));
    expect(verdict).toMatchObject({
      kind: "error",
      reason: expect.stringMatching(/^unusable-tests: test 1 is no JSON/),
    });
    expect(verdict).not.toHaveProperty("score");
  });
});
