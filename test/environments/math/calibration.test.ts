import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createReadStream } from "node:fs";
import { describe, expect, it } from "vitest";
import { calibrationMarkdown } from "../../../core/cli/render/calibration-table.js";
import { readLines } from "../../../core/src/store/read-lines.js";
import { calibrate } from "../../../core/src/verify/calibrate.js";
import { mathJudge } from "../../../environments/math/judge.js";

const folder = new URL("../../../environments/math/", import.meta.url);
const path = fileURLToPath(new URL("calibration.jsonl", folder));

interface Line {
  readonly category: string;
  readonly label: string;
  readonly gold: string;
}

describe("mathJudge on its calibration set", async () => {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  // Every line was read by calibrate() as a labelled case.
  const cases = lines.map((line) => JSON.parse(line) as Line);
  const open = { caseSchema: mathJudge.caseSchema, judge: await mathJudge.open() };
  const found = await calibrate(open, readLines(createReadStream(path), path), path);

  it("has at least 900 cases, each once, about as many false as true", () => {
    expect(cases.length).toBeGreaterThanOrEqual(900);
    expect(new Set(lines).size).toBe(lines.length);
    const passes = cases.filter(({ label }) => label === "pass").length;
    expect(Math.abs(2 * passes - cases.length)).toBeLessThan(cases.length / 10);
  });

  it("finds what the README says, no less", () => {
    const readme = readFileSync(new URL("README.md", folder), "utf8");
    const [, table = ""] = /<!-- calibration -->\n([\s\S]*?)\n<!-- \/calibration -->/.exec(readme) ?? [];
    expect(withoutPadding(calibrationMarkdown(found)), "npm run calibration writes it anew").toBe(
      withoutPadding(table),
    );
  });

  it("accepts next to nothing that is false, and nearly all that is true", () => {
    expect(found.rows[0]?.precision.value).toBeGreaterThanOrEqual(0.99);
    expect(found.rows[0]?.recall.value).toBeGreaterThanOrEqual(0.97);
  });
});

/** The formatter lines up the columns of a table. */
function withoutPadding(table: string): string {
  return table.trim().replace(/ +/g, " ").replace(/-+/g, "-");
}
