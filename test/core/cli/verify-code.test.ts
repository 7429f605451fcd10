import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { strongSandbox } from "../../support/strong-sandbox.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { recordsOf, runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
afterAll(() => strongSandbox?.close());

function file(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
const verify = (...args: string[]) => runTroupe(["--json", "verify", "code", ...args], folders);
const sum = "print(sum(map(int, input().split())))";
const tests = [
  { input: "1 2\n", output: "3" },
  { input: "5\n", output: "5" },
];

describe.skipIf(strongSandbox === undefined)("troupe verify code", () => {
  it("judges one program by a list of tests, says where it ran, and shows every test on request", async () => {
    const end = await verify(file("sum.py", sum), "--tests", file("tests.json", tests), "--explain");
    expect(end.exitCode, end.stderr).toBe(0);
    expect(end.stderr).toContain("code sandbox: tier A: Linux namespaces");
    expect(recordsOf(end)).toMatchObject([
      {
        type: "verdict",
        kind: "pass",
        parts: { passed: 2, tier: "A", trace: [{ step: "test 1" }, { step: "test 2" }] },
      },
    ]);
  });

  it("tells the language by the file's name, and takes a case without its program for tests", async () => {
    const call = { mode: "function", functionName: "f", tests: [{ args: [2], expected: 4 }] };
    const program = file("f.mjs", "function f(x) { return x * x; }");
    const end = await verify(program, "--tests", file("call.json", call));
    expect(recordsOf(end)).toMatchObject([{ kind: "pass" }]);
  });

  it.each([
    [["--tests", "none.json"], "a readable file"],
    [[], "a JSON file of tests"],
    [["--tests", "words.json"], "a file that holds one JSON object or list"],
    [["--tests", "wrong.json"], "tests.0.output"],
    [["--tests", "tests.json", "--language", "rust"], "language"],
  ])("refuses %j with what is wanted", async (flags, wanted) => {
    file("words.json", "three");
    file("wrong.json", [{ input: "1" }]);
    file("tests.json", tests);
    const args = flags.map((flag) => (flag.endsWith(".json") ? join(folder, flag) : flag));
    const end = await verify(file("sum.py", sum), ...args);
    expect(end.exitCode).toBe(2);
    expect(end.stderr).toContain(wanted);
    expect(end.stdout).not.toContain("verdict");
  });

  it("judges every good line in order, names the bad ones, and ends with 4 for them", async () => {
    const lines = [
      { id: "right", mode: "stdin", program: sum, tests },
      { id: "wrong", mode: "stdin", program: "print(3)", tests, runAll: true },
      "oops",
      { id: "no tests", mode: "stdin", program: sum },
      {
        mode: "function",
        functionName: "f",
        language: "javascript",
        program: "const f = (x) => x + 1;",
        tests: [{ args: [1], expected: 2 }],
      },
      { id: "empty", mode: "stdin", program: sum, tests: [] },
      { id: "limits", mode: "stdin", program: sum, tests, limits: { testMs: "soon" } },
      { id: "slow", mode: "stdin", program: "while True: pass", tests, limits: { testMs: 500 } },
    ];
    const path = file(
      "programs.jsonl",
      lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""),
    );
    const end = await verify("--jsonl", path);
    expect(end.exitCode).toBe(4);
    expect(end.stderr).toContain("3 lines were no cases");
    expect(recordsOf(end)).toMatchObject([
      { id: "right", verdict: { kind: "pass", score: 1, reason: "all-passed: 2 of 2 tests" } },
      { id: "wrong", verdict: { kind: "fail", score: 0, parts: { passed: 1, passRate: 0.5 } } },
      { line: 3, error: { code: "CASE_NOT_VALID" } },
      { line: 4, error: { code: "CASE_NOT_VALID", message: expect.stringContaining("tests") } },
      { id: expect.anything(), verdict: { kind: "pass" } },
      { id: "empty", verdict: { kind: "error", reason: expect.stringContaining("no-tests") } },
      { line: 7, error: { message: expect.stringContaining("testMs") } },
      { id: "slow", verdict: { kind: "fail", reason: expect.stringContaining("time-limit") } },
    ]);
  });
});
