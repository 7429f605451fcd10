import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SymbolicStep } from "../../../environments/math/symbolic-step.js";
import { verifySymbolically } from "../../../environments/math/verify-symbolically.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const PYTHON = process.env["TROUPE_PYTHON"] ?? "python3";
const hasSymPy = spawnSync(PYTHON, ["-I", "-c", "import sympy"]).status === 0;

/** A program that stands where Python would. */
function programOf(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${source}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function verdictsOf(python: string, deadlineMs: number, ...cases: readonly (readonly [string, string])[]) {
  const step = new SymbolicStep({ python, deadlineMs });
  try {
    return await Promise.all(cases.map(([gold, answer]) => verifySymbolically(gold, { answer }, step)));
  } finally {
    await step.close();
  }
}

describe("verifySymbolically()", () => {
  it("is infra where Python is missing, and only for what needs it", async () => {
    const verdicts = await verdictsOf(
      join(folder, "no-python"),
      200,
      ["\\frac12", "\\int_0^1 x\\,dx"],
      ["\\frac12", "0.5"],
      ["\\frac12", "0.6"],
    );
    expect(verdicts).toMatchObject([
      { kind: "infra", reason: expect.stringMatching(/^sympy-missing/) },
      { kind: "pass" },
      { kind: "fail" },
    ]);
    expect(verdicts[0]).not.toHaveProperty("score");
  });

  it("is infra where Python has no SymPy", async () => {
    const [verdict] = await verdictsOf(programOf("bare", "exit 1"), 200, ["1", "\\lim_{x\\to 0}\\frac{\\sin x}{x}"]);
    expect(verdict).toMatchObject({ kind: "infra" });
  });

  it("is a timeout without a score when the answer does not come, and asks a new process next", async () => {
    const silent = programOf("silent", `echo '{"sympy":"1"}'; exec sleep 600`);
    const question = ["1", "\\int_0^1 2x\\,dx"] as const;
    const verdicts = await verdictsOf(silent, 1500, question, question);
    expect(verdicts.map(({ kind, score }) => [kind, score])).toEqual([
      ["timeout", undefined],
      ["timeout", undefined],
    ]);
  });

  it.skipIf(!hasSymPy)("decides integrals, limits and infinite sums", async () => {
    const verdicts = await verdictsOf(
      PYTHON,
      60_000,
      ["\\frac12", "\\int_0^1 x\\,dx"],
      ["\\frac13", "\\int_0^1 x\\,dx"],
      ["1", "\\lim_{x\\to 0}\\frac{\\sin x}{x}"],
      ["\\frac{\\pi^2}{6}", "\\sum_{n=1}^{\\infty}\\frac{1}{n^2}"],
      ["\\frac{\\pi^2}{8}", "\\sum_{n=1}^{\\infty}\\frac{1}{n^2}"],
    );
    expect(verdicts.map(({ kind }) => kind)).toEqual(["pass", "fail", "pass", "pass", "fail"]);
  });
});
