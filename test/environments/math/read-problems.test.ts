import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteFile } from "hyparquet-writer";
import { afterAll, describe, expect, it } from "vitest";
import type { TroupeError } from "../../../core/src/error-catalogue.js";
import { readProblems, type Fields, type LocatedProblem } from "../../../environments/math/read-problems.js";
import { readRowAt } from "../../../environments/math/read-rows.js";

const folder = mkdtempSync(join(tmpdir(), "troupe-problems-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;

function write(content: string | Buffer, ending = ".jsonl"): string {
  const file = join(folder, `set-${count++}${ending}`);
  writeFileSync(file, content);
  return file;
}

const lines = (...rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join("\n");

async function read(
  file: string,
  fields: Partial<Fields> = {},
  isSkipping = false,
): Promise<{ found: LocatedProblem[]; bad: TroupeError[] }> {
  const found: LocatedProblem[] = [];
  const bad: TroupeError[] = [];
  const onBadRow = (error: TroupeError) => {
    if (!isSkipping) throw error;
    bad.push(error);
  };
  for await (const one of readProblems(file, { calculations: "calculations", ...fields }, onBadRow)) found.push(one);
  return { found, bad };
}

async function rejection(file: string, fields?: Partial<Fields>): Promise<TroupeError> {
  // Reading rejects with errors of the catalogue alone.
  return (await read(file, fields).then(
    () => undefined,
    (error: unknown) => error,
  )) as TroupeError;
}

describe("readProblems()", () => {
  it("reads id, problem, answer, calculations and difficulty from JSON Lines", async () => {
    const file = write(
      lines(
        { id: "a", problem: "P", answer: "\\frac{1}{2}", level: "Level 3" },
        { problem: "Q", answer: 12, calculations: ["1+1=2"], difficulty: 2 },
      ),
    );
    const { found } = await read(file);
    expect(found.map(({ problem }) => problem)).toEqual([
      { id: "a", problem: "P", answer: "\\frac{1}{2}", calculations: [], difficulty: 3 },
      { id: `${file.split("/").at(-1)}:2`, problem: "Q", answer: "12", calculations: ["1+1=2"], difficulty: 2 },
    ]);
  });

  it("reads GSM8K as it is published: question, and an answer with marks and ####", async () => {
    const { found } = await read(write(lines({ question: "Q", answer: "She has 48/2 = <<48/2=24>>24.\n#### 1,024" })));
    expect(found[0]?.problem).toMatchObject({ problem: "Q", answer: "1,024", calculations: ["48/2=24"] });
  });

  it("takes the last box of a worked solution that is mapped as the answer", async () => {
    const { found } = await read(
      write(lines({ problem: "Q", solution: "First $\\boxed{1}$, in truth $\\boxed{\\frac{1}{2}}$." })),
      { answer: "solution" },
    );
    expect(found[0]?.problem.answer).toBe("\\frac{1}{2}");
  });

  it("maps any column", async () => {
    const { found } = await read(write(lines({ key: 7, frage: "Q", loesung: "3" })), {
      id: "key",
      problem: "frage",
      answer: "loesung",
    });
    expect(found[0]?.problem).toMatchObject({ id: "7", problem: "Q", answer: "3" });
  });

  it("passes over empty lines, carriage returns, a byte order mark and a missing last newline", async () => {
    const row = JSON.stringify({ problem: "Q", answer: "1" });
    const { found } = await read(write(`\uFEFF${row}\r\n\r\n  \n${row}\n\n${row}`));
    expect(found.map(({ row: number }) => number)).toEqual([1, 4, 6]);
  });

  it("reads rows that span the pieces in which a file comes, and finds each again by its place", async () => {
    const texts = [400_000, 3, 262_143, 262_144, 1].map((length, index) => `${index}ü`.padEnd(length, "x"));
    const file = write(lines(...texts.map((problem) => ({ problem, answer: "1" }))));
    const { found } = await read(file);
    expect(found.map(({ problem }) => problem.problem)).toEqual(texts);
    expect(found.map(({ span }) => span && readRowAt(file, span))).toEqual(
      texts.map((problem) => ({ problem, answer: "1" })),
    );
  });

  it.each([
    [{ id: "x", problem: "Q" }, 'field "answer" is missing (the row has "id", "problem"), wanted is text or a number'],
    [{ problem: "Q", answer: null }, 'field "answer" is null'],
    [{ problem: "Q", answer: ["1"] }, 'field "answer" is a list'],
    [{ problem: "Q", answer: true }, 'field "answer" is a boolean'],
    [{ problem: "Q", answer: "" }, 'field "answer" is empty'],
    [
      { problem: "Q", answer: "#### " },
      'field "answer" has nothing after "####" or in its box, wanted is a final answer',
    ],
    [{ problem: "Q", answer: "\\frac{1}{" }, 'field "answer" is "\\frac{1}{", wanted is an answer that can be checked'],
    [{ problem: "Q", answer: 1e300 }, 'field "answer" is 1e+300, which is not exact'],
    [{ problem: 5, answer: "1" }, 'field "problem" is 5'],
    [{ answer: "1" }, 'field "problem" is missing (the row has "answer"), wanted is text'],
    [{ problem: "Q", answer: "1", id: {} }, 'field "id" is an object'],
    [[1], "is a list"],
  ])("refuses %j by file, row and field", async (row, found) => {
    const file = write(lines({ problem: "Q", answer: "1" }, { problem: "Q", answer: "2" }, row));
    const error = await rejection(file);
    expect(error).toMatchObject({ code: "PROBLEM_ROW_INVALID", exitCode: 4 });
    expect(error.message).toContain(`${file}:3`);
    expect(error.message).toContain(found);
    expect(error.hint).toContain("2 rows before it were fine");
  });

  it("refuses a line that is no JSON", async () => {
    expect((await rejection(write('{"problem": "Q", "answer": 1}\n{"problem": "Q", "ans'))).message).toContain(
      ':2 as a problem: field "problem" cannot be read, as the line is no JSON',
    );
  });

  it("leaves bad rows out and reports each when told so", async () => {
    const { found, bad } = await read(
      write(lines({ problem: "Q", answer: "1" }, { problem: "Q" }, 5, { problem: "R", answer: "2" })),
      {},
      true,
    );
    expect(found.map(({ problem }) => problem.problem)).toEqual(["Q", "R"]);
    expect(bad.map((error) => error.details["row"])).toEqual([2, 3]);
  });

  it("refuses a missing file, a folder and an unknown ending", async () => {
    expect(await rejection(join(folder, "missing.jsonl"))).toMatchObject({
      code: "PROBLEM_FILE_UNREADABLE",
      exitCode: 4,
    });
    expect(await rejection(write("[]", ".json"))).toMatchObject({ code: "PROBLEM_FORMAT_UNKNOWN", exitCode: 4 });
    expect(await rejection(write("not parquet", ".parquet"))).toMatchObject({
      code: "PROBLEM_FILE_UNREADABLE",
      exitCode: 4,
    });
  });

  it("reads Parquet, row group by row group, and refuses its bad rows", async () => {
    const file = join(folder, "set.parquet");
    const size = 3000;
    parquetWriteFile({
      filename: file,
      rowGroupSize: 700,
      columnData: [
        { name: "question", data: Array.from({ length: size }, (_, i) => `Q${i}`) },
        { name: "answer", data: Array.from({ length: size }, (_, i) => BigInt(i)) },
        { name: "unused", data: Array.from({ length: size }, () => "u") },
      ],
    });
    const { found } = await read(file);
    expect(found).toHaveLength(size);
    expect(found.at(-1)).toMatchObject({
      row: size,
      problem: { id: "set.parquet:3000", problem: "Q2999", answer: "2999" },
    });
    const error = await rejection(file, { answer: "solution" });
    expect(error.message).toContain('set.parquet:1 as a problem: field "solution" is missing');
    expect(error.message).toContain('the row has "question", "answer", "unused"');
  });

  it("names row and field of a Parquet file when a value is of another kind, and the file when it is cut", async () => {
    const file = join(folder, "odd.parquet");
    const data = Array.from({ length: 200 }, (_, index): unknown => (index === 117 ? { value: 5 } : `${index}`));
    parquetWriteFile({
      filename: file,
      columnData: [
        { name: "problem", data: data.map((_, index) => `Q${index}`), type: "STRING" },
        { name: "answer", data, type: "JSON" },
      ],
    });
    expect((await rejection(file)).message).toContain('odd.parquet:118 as a problem: field "answer" is an object');
    const cut = join(folder, "cut.parquet");
    writeFileSync(cut, readFileSync(file).subarray(0, 900));
    expect(await rejection(cut)).toMatchObject({
      code: "PROBLEM_FILE_UNREADABLE",
      message: expect.stringContaining("cut.parquet"),
    });
  });
});
