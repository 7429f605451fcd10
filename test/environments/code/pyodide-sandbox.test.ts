import { afterAll, describe, expect, it } from "vitest";
import { codeCaseSchema, type CodeCaseInput } from "../../../environments/code/code-case.js";
import { openPyodideSandbox } from "../../../environments/code/embedded/pyodide-sandbox.js";
import { verifyCode } from "../../../environments/code/verify-code.js";

const limits = { testMs: 60_000, memoryMb: 256, outputBytes: 2 ** 20 };
const probe = await openPyodideSandbox({ limits });
if ("missing" in probe) process.stderr.write(`skipped: tests of Pyodide, as ${probe.missing}\n`);
const sandbox = "sandbox" in probe ? probe.sandbox : undefined;
afterAll(() => sandbox?.close());

function judge(one: CodeCaseInput) {
  if (sandbox === undefined) throw new Error("this test should have been skipped");
  return verifyCode(
    codeCaseSchema.parse({ limits: { testMs: 60_000, totalMs: 600_000, memoryMb: 256 }, ...one }),
    sandbox,
    { explain: true },
  );
}
const lines = ["line 0", "line 1", "line 2"];
const echo = (program: string, more: object = {}): CodeCaseInput => ({
  mode: "stdin",
  program,
  tests: lines.map((line) => ({ input: `${line}\n`, output: line })),
  ...more,
});

describe.skipIf(sandbox === undefined)("PyodideSandbox", () => {
  it.each([
    "import sys\nfor line in sys.stdin: print(line.strip())",
    "import os, sys, time\ntime.sleep(0.01)\nos.write(1, sys.stdin.buffer.read())\nexit()\nprint('no')",
    "print(open('/dev/stdin').read().strip()); import sys; sys.stdout.flush(); import os; os._exit(0)",
    "import atexit\nline = input()\natexit.register(lambda: print(line))",
    "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nassert f(20000) == 20000 and len(str(7 ** 20000)) > 5000\nprint(input())",
    'if __name__ == "__main__":\n  open("x", "w").write(input())\n  print(open("/box/x").read())',
  ])("passes %j", async (program) => {
    const verdict = await judge(echo(program));
    expect(verdict, verdict.reason).toMatchObject({ kind: "pass", parts: { tier: "B", passed: 3 } });
  });

  it("hides from a test what another one left: globals, modules, files, memory", async () => {
    const program = `import builtins, json, os, sys
seen = [hasattr(builtins, "seen"), hasattr(json, "seen"), os.path.exists("/box/d/f"), os.environ.get("SEEN"), os.getcwd() != "/box", sys.getrecursionlimit() == 77]
builtins.seen = json.seen = True
os.environ["SEEN"] = "1"
os.mkdir("/box/d")
open("/box/d/f", "w").write("x")
os.chdir("/box/d")
sys.setrecursionlimit(77)
x = bytearray(b"seen" * 5_000_000)
print(input() if not any(seen) else seen)`;
    const verdict = await judge(echo(program));
    expect(verdict, verdict.reason).toMatchObject({ kind: "pass" });
  });

  it("calls functions and methods of Solution with exact values", async () => {
    const tests = [
      { args: [[2, 1], 3], expected: [1, 2, 3] },
      { input: "[5]\n12345678901234567890123", output: "[5, 12345678901234567890123]" },
    ];
    const call = (program: string): CodeCaseInput => ({ mode: "function", functionName: "solve", program, tests });
    for (const program of [
      "def solve(a, b): print('noise'); return tuple(sorted(a + [b]))",
      "class Solution:\n  def solve(self, a: List[int], b: int) -> List[int]:\n    return sorted(a + [b])",
    ])
      expect(await judge(call(program)), program).toMatchObject({ kind: "pass" });
    expect((await judge(call("def solve(a, b): return sorted(a)"))).reason).toBe(
      "wrong-answer: test 1 of 2: got [1, 2], want [1, 2, 3]",
    );
    expect(
      (await judge(call("class E(list):\n  def __eq__(self, o): return True\ndef solve(a, b): return E()"))).reason,
    ).toContain("is no value of a built-in type");
  });

  it("runs tests that assert in another sandbox than the program", async () => {
    const tests = ["assert f(2) == 4", "import math\nassert math.isclose(f(0.5), 0.25)", "assert candidate(-1) == 1"];
    const asserts = (program: string): CodeCaseInput => ({ mode: "asserts", functionName: "f", program, tests });
    expect(await judge(asserts("def f(x): return x * x"))).toMatchObject({ kind: "pass", parts: { passed: 3 } });
    expect((await judge(asserts("def f(x): return x + 2"))).reason).toMatch(
      /^wrong-answer: test 2 of 3: AssertionError/,
    );
    expect((await judge(asserts("class A:\n  def __eq__(s, o): return True\ndef f(x): return A()"))).kind).toBe("fail");
  });

  it.each([
    ["print((", "compile-error: test 1 of 3: SyntaxError: '(' was never closed at line 1"],
    ["1/0", "runtime-error: test 1 of 3: ZeroDivisionError: division by zero (exit code 1)"],
    ["import os\nos._exit(4)", "runtime-error: test 1 of 3: exit code 4"],
    ["print('other')", 'wrong-answer: test 1 of 3: line 1: got "other", want "line 0"'],
    ["x = [0] * 10**9", "memory-limit: test 1 of 3"],
    ["while True: print('x' * 10000)", "output-limit: test 1 of 3"],
    [
      "import threading\nthreading.Thread(target=print).start()",
      "can't start new thread: this sandbox, Python in WebAssembly, has none",
    ],
    ["import subprocess\nsubprocess.run(['/bin/true'])", "runtime-error"],
  ])("fails %j with its reason", async (program, reason) => {
    const verdict = await judge(echo(program));
    expect(verdict).toMatchObject({ kind: "fail", score: 0 });
    expect(verdict.reason).toContain(reason);
  });

  it("ends what does not end, and goes on in a fresh process when all tests are wanted", async () => {
    const program = "line = input()\nwhile line == 'line 1': pass\nprint(line)";
    const verdict = await judge(
      echo(program, { runAll: true, limits: { testMs: 6000, totalMs: 600_000, memoryMb: 256 } }),
    );
    expect(verdict.reason).toMatch(/^time-limit: test 2 of 3: no answer within \d+ ms$/);
    expect(verdict.parts).toMatchObject({ ran: 3, passed: 2 });
  });
});
