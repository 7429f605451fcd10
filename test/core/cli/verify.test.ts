import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { recordsOf, runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };

function fileOf(name: string, ...lines: readonly (object | string)[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return path;
}

describe("troupe verify math", () => {
  it("says how it read both sides and what decided", async () => {
    const end = await runTroupe(["verify", "math", "--gold", "1/2", "--answer", "0.5", "--explain"], folders);
    expect(end.exitCode).toBe(0);
    expect(end.stdout).toMatch(/^pass {2}equal/);
    expect(end.stdout).toContain("by exact fractions");
  });

  it("ends with 4 when the reference cannot be used, and with 2 without one", async () => {
    const broken = await runTroupe(["--json", "verify", "math", "--gold", "\\frac{1}{", "--answer", "1"], folders);
    expect(broken.exitCode).toBe(4);
    expect(recordsOf(broken)).toMatchObject([{ type: "verdict", kind: "error" }]);
    const missing = await runTroupe(["verify", "math", "--answer", "1"], folders);
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toContain("--gold");
  });

  it("judges every good line of a file, names the bad ones, and ends with 4 for them", async () => {
    const file = fileOf(
      "answers.jsonl",
      { id: "a", gold: "4", response: "<think>\\boxed{3}</think> so \\boxed{4}" },
      "oops",
      { id: "c", gold: ["1", "2"], answer: 2, options: { percent: "value" } },
      { id: "d", gold: "4", respnse: "\\boxed{4}" },
    );
    const end = await runTroupe(["verify", "math", "--jsonl", file], folders);
    expect(end.exitCode).toBe(4);
    expect(recordsOf(end)).toMatchObject([
      { id: "a", verdict: { kind: "pass" } },
      { line: 2, error: { code: "CASE_NOT_VALID" } },
      { id: "c", verdict: { kind: "pass" } },
      { line: 4, error: { message: expect.stringContaining("respnse") } },
    ]);
    const good = fileOf("good.jsonl", { id: "a", gold: "4", answer: "5" });
    expect((await runTroupe(["verify", "math", "--jsonl", good], folders)).exitCode).toBe(0);
    expect((await runTroupe(["verify", "math", "--jsonl", join(folder, "none.jsonl")], folders)).exitCode).toBe(4);
  });
});

describe("troupe verify lab", () => {
  it("measures a verifier on its labelled cases and can write the table into a README", async () => {
    const readme = join(folder, "README.md");
    writeFileSync(readme, "before\n<!-- calibration -->\nold\n<!-- /calibration -->\nafter\n");
    const end = await runTroupe(["--json", "verify", "lab", "math", "--write", readme], folders);
    expect(end.exitCode).toBe(0);
    expect(recordsOf(end)).toMatchObject([{ type: "calibration", verifier: "math" }]);
    const text = readFileSync(readme, "utf8");
    expect(text).toMatch(/^before\n<!-- calibration -->\n\n\| category/);
    expect(text).toMatch(/<!-- \/calibration -->\nafter\n$/);
    expect(text).not.toContain("old");
  });
});
