import { createWriteStream, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TroupeError } from "../../../core/src/error-catalogue.js";
import { settingsSchema } from "../../../environments/code/settings.js";
import { codeTaskset } from "../../../environments/code/taskset.js";
import { heldBytes } from "../../support/held-bytes.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
let count = 0;

function write(rows: readonly unknown[]): string {
  const file = join(folder, `set-${count++}.jsonl`);
  writeFileSync(file, rows.map((row) => `${typeof row === "string" ? row : JSON.stringify(row)}\n`).join(""));
  return file;
}

const good = (index: number) => ({
  id: `p${index}`,
  prompt: "Print the sum.",
  tests: [{ input: "1 2\n", output: "3\n" }],
});
const hundred = Array.from({ length: 117 }, (_, index) => good(index));

function load(path: string, more: object = {}) {
  return codeTaskset(settingsSchema.parse({ data: { path, ...more } }), "train", folder);
}

async function refusal(row: unknown, more: object = {}): Promise<TroupeError> {
  const found: unknown = await load(write([...hundred, row]), more).then(
    () => undefined,
    (error: unknown) => error,
  );
  // Loading rejects with errors of the catalogue alone.
  return found as TroupeError;
}

describe("codeTaskset()", () => {
  it.each([
    [{ ...good(0), tests: 12 }, 'field "tests" is a number, wanted is a list of {input, output}'],
    [{ ...good(0), tests: "not tests" }, 'field "tests" is a string'],
    [{ id: "p", prompt: "P" }, 'field "tests" is missing'],
    [{ ...good(0), tests: [] }, 'field "tests" is an empty list'],
    [
      {
        ...good(0),
        tests: [
          { input: "1", output: "1" },
          { input: 3, output: "3" },
        ],
      },
      'field "tests.1.input" ',
    ],
    [{ ...good(0), tests: [{ args: [1], expected: 1 }] }, 'field "tests.0'],
    [{ ...good(0), tests: { inputs: ["1", "2"], outputs: ["1"] } }, 'field "tests" has 2 inputs and 1 outputs'],
    [{ ...good(0), fn_name: "no name", tests: [{ args: [1], expected: 1 }] }, "the name of a function"],
    [{ ...good(0), prompt: 5 }, 'field "prompt" is a number, wanted is text'],
    [{ ...good(0), language: "rust" }, 'field "language" is "rust", wanted is python or javascript'],
    [{ ...good(0), id: { a: 1 } }, 'field "id" is an object, wanted is text or a number'],
    ["{ no JSON", 'field "prompt" cannot be read, as the line is no JSON object'],
    ["[1, 2]", 'field "prompt" cannot be read, as the line is no JSON object'],
  ])("refuses row 118 %j by file, row and field", async (row, says) => {
    const error = await refusal(row);
    expect(error).toMatchObject({ code: "PROBLEM_ROW_INVALID", exitCode: 4 });
    expect(error.message).toContain(".jsonl:118 as a problem: ");
    expect(error.message).toContain(says);
    expect(error.hint).toContain("117 rows before it were fine");
  });

  it("leaves such rows out and counts them when told to", async () => {
    const { rows, skipped, size } = await load(write([...hundred, { ...good(117), tests: 12 }, good(118)]), {
      onBadRow: "skip",
    });
    expect({ rows, skipped }).toEqual({ rows: 118, skipped: 1 });
    expect(size).toBeGreaterThan(80);
  });

  it("reads other field names by mapping, and says which name it looked for", async () => {
    const fields = { prompt: "text", tests: "checks", functionName: "function", id: "key", prelude: "given" };
    const row = {
      key: 7,
      text: "Double it.",
      checks: [{ args: [2], expected: 4 }],
      function: "f",
      given: "import math",
    };
    const tasks = await load(write([row]), { fields, heldOut: 1e-9 });
    expect(tasks.at(0)).toMatchObject({
      id: "7",
      prompt: [{ content: expect.stringMatching(/^Double it.*function f/s) }],
    });
    expect(JSON.parse(tasks.at(0).reference)).toMatchObject({
      prelude: "import math",
      tests: { mode: "function", functionName: "f", tests: [{ args: [2], expected: 4 }] },
    });
    expect((await refusal({ key: 1, text: "T" }, { fields })).message).toContain('field "text" is missing');
  });

  it.each([
    [
      "APPS' text of lists",
      { input_output: JSON.stringify({ inputs: ["1\n", "2\n"], outputs: ["1\n", "2\n"] }) },
      "stdin",
    ],
    ["APPS' calls", { input_output: { inputs: [[1, 2]], outputs: [[3]], fn_name: "f" } }, "function"],
    ["LiveCodeBench's calls", { tests: [{ input: "1\n2", output: "3" }], fn_name: "f" }, "function"],
    ["MBPP's asserts", { tests: ["assert f(1) == 1"], entry_point: "f" }, "asserts"],
    [
      "HumanEval's check",
      { test: "def check(candidate):\n    assert candidate(1) == 1\n", entry_point: "f" },
      "asserts",
    ],
  ])("reads %s", async (_name, tests, mode) => {
    const tasks = await load(write([{ id: "p", prompt: "P", ...tests }]), { heldOut: 1e-9 });
    expect(JSON.parse(tasks.at(0).reference)).toMatchObject({ tests: { mode } });
  });

  it("keeps a file of 300 MB on disk", async () => {
    const path = join(folder, "large.jsonl");
    const stream = createWriteStream(path);
    const filler = "7 ".repeat(500_000);
    for (let index = 0; index < 300; index++) {
      const row = { ...good(index), tests: [{ input: `${filler}\n`, output: "1\n" }] };
      if (!stream.write(`${JSON.stringify(row)}\n`)) await once(stream, "drain");
    }
    stream.end();
    await once(stream, "finish");
    const before = heldBytes();
    const tasks = await load(path);
    const grown = heldBytes() - before;
    expect(tasks.rows).toBe(300);
    expect(grown).toBeLessThan(30e6);
    expect(tasks.at(tasks.size - 1).reference.length).toBeGreaterThan(1e6);
  });
});
