import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Verdict } from "../../../core/src/records/verdict.js";
import { settingsSchema } from "../../../environments/code/settings.js";
import { readRows } from "../../../environments/math/read-rows.js";
import { codeProblemOf, type CodeProblem } from "../../../environments/code/read-code-tasks.js";
import { judgeStrongly, strongSandbox } from "../../support/strong-sandbox.js";

const data = fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const isHere = existsSync(data) && strongSandbox !== undefined;
afterAll(() => strongSandbox?.close());

interface Row {
  readonly problem: CodeProblem;
  readonly record: Readonly<Record<string, unknown>>;
}

/** Every nth row of a set as the environment reads it. */
async function rowsOf(name: string, every: number): Promise<readonly Row[]> {
  const path = `${data}/${name}.jsonl`;
  const settings = settingsSchema.parse({ data: { path }, limits: { testMs: 60_000, totalMs: 600_000 } });
  const rows: Row[] = [];
  for await (const { number, value } of readRows(path, [])) {
    const problem = codeProblemOf(value, { file: path, row: number, goodRows: number }, settings);
    if (problem instanceof Error) throw problem;
    // The reader has just found an object in it.
    if (number % every === 0) rows.push({ problem, record: value as Row["record"] });
  }
  return rows;
}

/** Verdicts by id, two at a time; limits of contests are tripled, as this machine may be busy. */
async function judgeAll(rows: readonly Row[], programOf: (row: Row) => string, testMs?: number): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const waiting = [...rows.entries()];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, row] = next;
      const { tests } = row.problem;
      const limits = { ...tests.limits, testMs: testMs ?? tests.limits.testMs * 5, totalMs: 600_000 };
      verdicts[index] = await judgeStrongly({ language: "python", program: programOf(row), ...tests, limits });
    }
  };
  await Promise.all([lane(), lane()]);
  return verdicts;
}

function named(rows: readonly Row[], verdicts: readonly Verdict[], kind: Verdict["kind"]): string[] {
  return rows.flatMap(({ problem }, index) =>
    verdicts[index]?.kind === kind ? [] : [`${problem.id}: ${verdicts[index]?.kind} ${verdicts[index]?.reason}`],
  );
}

describe.skipIf(!isHere)("problem sets in tier A", () => {
  it("pass every reference of the own set, and fail every wrong program", async () => {
    const rows = await rowsOf("own_stdin", 1);
    expect(rows).toHaveLength(29);
    expect(named(rows, await judgeAll(rows, ({ record }) => String(record["reference_python"])), "pass")).toEqual([]);
    // One of the wrong programs is right but far too slow.
    expect(named(rows, await judgeAll(rows, ({ record }) => String(record["wrong_python"]), 2000), "fail")).toEqual([]);
  });

  it("pass references of MBPP by their asserts, and fail mutated ones", async () => {
    const rows = await rowsOf("mbpp", 5);
    const program = ({ record }: Row) => `${[record["imports"]].flat().join("\n")}\n${String(record["reference"])}`;
    expect(rows[0]?.problem.tests.mode).toBe("asserts");
    expect(named(rows, await judgeAll(rows, program), "pass")).toEqual([]);
    const mutated = (row: Row) => `${program(row)}\n_f = ${String(row.record["entry_point"])}\n${mutant(row)}`;
    expect(named(rows, await judgeAll(rows, mutated), "fail")).toEqual([]);
  });

  it("pass references of HumanEval, and fail mutated ones", async () => {
    const rows = await rowsOf("humaneval", 4);
    const program = ({ record }: Row) => `${String(record["prompt"])}${String(record["reference"])}`;
    expect(named(rows, await judgeAll(rows, program), "pass")).toEqual([]);
    const mutated = (row: Row) => `${program(row)}\n_f = ${String(row.record["entry_point"])}\n${mutant(row)}`;
    expect(named(rows, await judgeAll(rows, mutated), "fail")).toEqual([]);
  });
});

/** A function in place of the right one that returns something else, of the same type where there is one. */
function mutant({ record }: Row): string {
  return `def ${String(record["entry_point"])}(*a, **k):
  v = _f(*a, **k)
  if isinstance(v, bool): return not v
  if isinstance(v, (int, float, complex)): return v * 2 + 1
  if isinstance(v, str): return v + "x"
  if isinstance(v, (list, tuple)): return type(v)(list(v) + [0])
  if isinstance(v, dict): return {**v, "x": 1}
  return not v`;
}
