import { afterAll, describe, expect, it } from "vitest";
import { codeCaseSchema, type CodeCaseInput } from "../../../environments/code/code-case.js";
import { QuickJsSandbox } from "../../../environments/code/embedded/quickjs-sandbox.js";
import { verifyCode } from "../../../environments/code/verify-code.js";

const sandbox = new QuickJsSandbox();
afterAll(() => sandbox.close());

const words = ["line 0", "line 1"];
async function judge(program: string, mode: "echo" | "call" = "echo", testMs = 20_000) {
  const base = { language: "javascript", program, limits: { testMs, memoryMb: 64 } } as const;
  const one: CodeCaseInput =
    mode === "echo"
      ? { ...base, mode: "stdin", tests: words.map((line) => ({ input: `${line}\n`, output: line })) }
      : {
          ...base,
          mode: "function",
          functionName: "solve",
          tests: words.map((line) => ({ args: [line], expected: line })),
        };
  return verifyCode(codeCaseSchema.parse(one), sandbox);
}

describe("QuickJsSandbox", () => {
  it.each([
    'console.log(require("fs").readFileSync(0, "utf8").trim());',
    'const fs = require("node:fs"); const [a] = fs.readFileSync("/dev/stdin").toString().split("\\n"); process.stdout.write(a);',
    'let s = ""; process.stdin.setEncoding("utf8").on("data", (d) => (s += d)).on("end", () => setTimeout(() => console.log(s.trim()), 5));',
    'require("readline").createInterface({ input: process.stdin }).on("line", (line) => console.log(line));',
    '(async () => { for await (const line of require("readline").createInterface({ input: process.stdin })) console.log(line); })();',
    'console.log(require("fs").readFileSync(0, "utf8").trim()); process.exit(0); console.log("no");',
  ])("passes %j", async (program) => {
    expect(await judge(program)).toMatchObject({ kind: "pass", parts: { tier: "B", passed: 2 } });
  });

  it.each([
    "function solve(x) { return x; }",
    "const solve = async (x) => x;",
    "module.exports = { solve: (x) => x };",
  ])("calls the function of %j", async (program) =>
    expect(await judge(program, "call")).toMatchObject({ kind: "pass" }),
  );

  it.each([
    ["console.log((", "compile-error"],
    ["throw new TypeError('x')", "runtime-error: test 1 of 2: TypeError: x"],
    ["process.exit(3)", "runtime-error"],
    ["Promise.resolve().then(() => console.log('no'))", "wrong-answer"],
    ["const x = []; for (;;) x.push(new Array(10000).fill(1));", "memory-limit"],
    ["for (;;) console.log('yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy')", ""],
    ["require('child_process')", "runtime-error: test 1 of 2: Error: there is no module child_process here"],
    ["console.log(require('fs').readFileSync('/etc/passwd'))", "runtime-error"],
    ["globalThis.constructor.constructor('return process')().binding('fs')", "runtime-error"],
    ["import('node:fs').then((fs) => console.log(fs.readdirSync('/')))", ""],
    ["fetch('http://127.0.0.1/')", "runtime-error"],
    ["function f() { return f() + 1; } f();", ""],
    [
      "const line = require('fs').readFileSync(0, 'utf8').trim(); console.log(Object.prototype.seen === undefined ? line : 'no'); Object.prototype.seen = 1; throw 1",
      "runtime-error",
    ],
  ])("fails %j with %j", async (program, reason) => {
    const verdict = await judge(program, "echo", 3000);
    expect(verdict, verdict.reason).toMatchObject({ kind: "fail", score: 0 });
    // On a busy machine the clock may be first.
    if (!verdict.reason.startsWith("time-limit")) expect(verdict.reason).toMatch(reason);
  });

  it("ends what does not end, and says what it does not run", async () => {
    expect((await judge("for (;;);", "echo", 300)).reason).toMatch(/^time-limit/);
    const python = codeCaseSchema.parse({ mode: "stdin", program: "print(1)", tests: [{ input: "", output: "1" }] });
    expect(await verifyCode(python, sandbox)).toMatchObject({
      kind: "infra",
      reason: expect.stringMatching(/^no-interpreter/),
    });
  });
});
