import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetWriteFile } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { recordsOf, runTroupe } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };

describe("troupe data", () => {
  it("runs stages over files and reports what became of the rows", async () => {
    const [input, first, second] = ["raw.jsonl", "1.jsonl", "2.jsonl"].map((name) => join(folder, name));
    if (input === undefined || first === undefined || second === undefined) return;
    const rows = [
      { id: "a", question: "What is the sum of two and two?", answer: 4 },
      { id: "b", question: "Prove that two and two make four.", answer: 4 },
      { id: "c", question: "What is the sum of two and two ?", answer: 4 },
    ];
    writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const columns = ["--problem", "question"];
    const filtered = await runTroupe(["--json", "data", "filter", input, "--out", first, ...columns], folders);
    expect(filtered.exitCode).toBe(0);
    expect(recordsOf(filtered)).toMatchObject([{ type: "curation", rows: 3, kept: 2, dropped: { proof: 1 } }]);
    expect((await runTroupe(["data", "dedup", first, "--out", second, ...columns], folders)).exitCode).toBe(0);
    const report = await runTroupe(["data", "report", second], folders);
    expect(report.stdout).toMatch(/filter\s+3\s+2[\s\S]*dedup\s+2\s+1[\s\S]*1 {2}duplicate/);
  });

  it("reads Parquet as it reads lines, and names what a row lacks", async () => {
    const [input, benchmark, out] = ["set.parquet", "bench.parquet", "clean.jsonl"].map((name) => join(folder, name));
    if (input === undefined || benchmark === undefined || out === undefined) return;
    const words = (from: number) => Array.from({ length: 12 }, (_, index) => `word${from + index}`).join(" ");
    const questions = [words(0), words(50), words(100)];
    parquetWriteFile({
      filename: input,
      columnData: [
        { name: "question", data: [...questions, null] },
        { name: "level", data: [1n, 2n, 3n, 4n] },
      ],
    });
    parquetWriteFile({ filename: benchmark, columnData: [{ name: "text", data: [`before ${words(50)}`] }] });
    const flags = ["--out", out, "--problem", "question", "--against", `${benchmark}:text`];
    const end = await runTroupe(["--json", "data", "decontaminate", input, ...flags], folders);
    expect(end.exitCode, end.stderr).toBe(0);
    expect(recordsOf(end)).toMatchObject([{ rows: 4, kept: 2, dropped: { contaminated: 1, "field-missing": 1 } }]);
    expect(readFileSync(out, "utf8")).toBe(
      [0, 2].map((index) => `${JSON.stringify({ question: questions[index], level: index + 1 })}\n`).join(""),
    );
    expect(readFileSync(`${out}.dropped.jsonl`, "utf8")).toContain(
      '{"line":4,"id":"4","reason":"field-missing","found":"question"}',
    );
  });

  it("refuses a column that is in no row, a missing file, and options that say nothing", async () => {
    const input = join(folder, "other.jsonl");
    writeFileSync(input, '{"q":"What is it?"}\n');
    const out = join(folder, "never.jsonl");
    const missing = await runTroupe(["data", "dedup", join(folder, "none.jsonl"), "--out", out], folders);
    expect([missing.exitCode, missing.stderr]).toEqual([4, expect.stringContaining("LINES_UNREADABLE")]);
    const column = await runTroupe(["data", "filter", input, "--out", out], folders);
    expect([column.exitCode, column.stderr]).toEqual([4, expect.stringContaining("--problem")]);
    const pool = await runTroupe(["data", "keep", input, "--out", out], folders);
    expect([pool.exitCode, pool.stderr]).toEqual([2, expect.stringContaining("--pool")]);
  });
});
