import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { curate, type Curation } from "../../../core/src/data/curate.js";
import { chainOf, filesOf } from "../../../core/src/data/curation-report.js";
import type { StageOrder } from "../../../core/src/data/stages.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
const columns = { problem: "problem", answer: "answer" };
const judge = { environment: "math", baseDirectory: folder };
const origin = { policy: "teacher-1", sampling: "T 0.6", assistantPrefix: "<think>\n" };
let files = 0;

function fileOf(rows: readonly (object | string)[]): string {
  const path = join(folder, `in-${files++}.jsonl`);
  writeFileSync(path, rows.map((row) => `${typeof row === "string" ? row : JSON.stringify(row)}\n`).join(""));
  return path;
}

function linesOf(path: string): Record<string, unknown>[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ ...JSON.parse(line) }));
}

async function run(input: string, order: StageOrder, more: Partial<Curation> = {}) {
  const output = more.output ?? join(folder, `out-${files++}.jsonl`);
  const { report, resumedAt } = await curate({
    input,
    output,
    order,
    idColumn: "id",
    threads: 1,
    restart: false,
    ...more,
  });
  return { output, report, resumedAt, kept: linesOf(output), dropped: linesOf(filesOf(output).dropped) };
}

const dedup: StageOrder = { stage: "dedup", columns: ["problem", "url"] };

describe("curate()", () => {
  it("keeps rows as they are and in their order, and says of every other why it went", async () => {
    const input = fileOf([
      { id: "a", problem: "What is 2 + 2?", extra: { deep: [1] } },
      "no json",
      { id: "c", problem: "what IS  2 + 2" },
      { id: "d", problem: "Another one", url: "http://x/1" },
      { problem: "A third one", url: "http://x/1" },
    ]);
    const { kept, dropped, report } = await run(input, dedup);
    expect(kept).toEqual([
      { id: "a", problem: "What is 2 + 2?", extra: { deep: [1] } },
      { id: "d", problem: "Another one", url: "http://x/1" },
    ]);
    expect(dropped).toEqual([
      { line: 2, reason: "no-json" },
      { line: 3, id: "c", reason: "duplicate", found: "of row 1" },
      { line: 5, id: "5", reason: "duplicate", found: "of row 4" },
    ]);
    expect(report).toMatchObject({ rows: 5, kept: 2, dropped: { "no-json": 1, duplicate: 2 } });
  });

  it("goes on where it was stopped and ends with the same files", async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ id: `r${i}`, problem: `Question number ${i % 2500} here` }));
    const input = fileOf(rows);
    for (const order of [
      dedup,
      {
        stage: "filter",
        columns: { problem: "problem", answer: "id" },
        limits: { minWords: 3, maxAnswerCharacters: 4 },
        judge: null,
        notAfter: null,
      },
    ] as const) {
      const whole = await run(input, order);
      const output = join(folder, `stopped-${order.stage}.jsonl`);
      const onProgress = (done: number): void => {
        if (done > 2200) throw new Error("stopped");
      };
      await expect(run(input, order, { output, onProgress })).rejects.toThrow("stopped");
      // What came after the last save may lie half written at the end.
      writeFileSync(output, '{"id":"half', { flag: "a" });
      const again = await run(input, order, { output });
      expect(again.resumedAt).toBeGreaterThanOrEqual(1024);
      expect(again.kept).toEqual(whole.kept);
      expect(again.dropped).toEqual(whole.dropped);
      expect(again.report).toMatchObject({ rows: 3000, kept: whole.report.kept, dropped: whole.report.dropped });
      expect((await run(input, order, { output })).resumedAt).toBeUndefined();
    }
  });

  it("gives the same on several threads", async () => {
    const rows = Array.from({ length: 400 }, (_, i) => ({
      id: i,
      problem: `Find the value of ${i} plus ${i}`,
      answer: `${i}+${i % 7 === 0 ? "" : i}`,
    }));
    const order: StageOrder = {
      stage: "filter",
      columns,
      limits: { minWords: 3, maxAnswerCharacters: 40 },
      judge,
      notAfter: null,
    };
    const input = fileOf(rows);
    const alone = await run(input, order);
    const together = await run(input, order, { threads: 2 });
    expect(together.kept).toEqual(alone.kept);
    expect(together.dropped).toEqual(alone.dropped);
    expect(alone.report.dropped).toEqual({ "answer-not-checkable": 58 });
  });

  it("rejects with OUTPUT_EXISTS rather than write over something else", async () => {
    const input = fileOf([{ problem: "One question" }]);
    const { output } = await run(input, dedup);
    await expect(run(input, { stage: "dedup", columns: ["problem"] }, { output })).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
    const anew = await run(input, { stage: "dedup", columns: ["problem"] }, { output, restart: true });
    expect(anew.resumedAt).toBe(0);
  });

  it("rejects with ROWS_UNUSABLE when a column is in no row", async () => {
    const input = fileOf([{ question: "Q" }, { question: "R" }]);
    const order: StageOrder = { stage: "decontaminate", column: "problem", n: 9, against: [] };
    await expect(run(input, order)).rejects.toMatchObject({ code: "ROWS_UNUSABLE" });
  });

  it("remembers the stages before in its report", async () => {
    const input = fileOf([{ id: "a", problem: "One question here" }]);
    const first = await run(input, dedup);
    const second = await run(first.output, { stage: "split", part: "train", heldOut: 0.0001 });
    expect(chainOf(second.report).map(({ order }) => order.stage)).toEqual(["dedup", "split"]);
  });
});

describe("stages", () => {
  it("decontaminate drops a row with the words that it shares and where they are", async () => {
    const shared = "the quick brown fox jumps over the lazy dog";
    const benchmark = fileOf([{ text: `Once ${shared} again.` }]);
    const input = fileOf([
      { id: "a", problem: `Yes, ${shared}!` },
      { id: "b", problem: "the quick brown fox jumps over the lazy cat" },
    ]);
    const against = [{ path: benchmark, column: "text", sha256: "" }];
    const { kept, dropped } = await run(input, { stage: "decontaminate", column: "problem", n: 9, against });
    expect(kept).toMatchObject([{ id: "b" }]);
    expect(dropped).toMatchObject([{ id: "a", reason: "contaminated", found: `"${shared}" is in ${benchmark}:1` }]);
  });

  it("filter drops what was released after a date, that day itself not (check A9)", async () => {
    const question = "What is the sum of the two numbers?";
    const input = fileOf([
      { id: "a", problem: question, answer: "1", date: "2024-08-01T10:00:00" },
      { id: "b", problem: question, answer: "1", date: "2024-08-02" },
    ]);
    const limits = { minWords: 3, maxAnswerCharacters: 40 };
    const notAfter = { date: "2024-08-01", column: "date" };
    const { kept } = await run(input, { stage: "filter", columns, limits, judge: null, notAfter });
    expect(kept).toMatchObject([{ id: "a" }]);
  });

  it("references keeps rows whose own solution passes", async () => {
    const input = fileOf([
      { id: "a", answer: "1/2", solution: "So \\boxed{0.5}" },
      { id: "b", answer: "1/2", solution: "So \\boxed{0.6}" },
    ]);
    const fields = { gold: "answer", response: "solution" };
    const { kept, dropped } = await run(input, { stage: "references", judge, fields, expect: "pass" });
    expect(kept).toMatchObject([{ id: "a" }]);
    expect(dropped).toMatchObject([{ id: "b", reason: "reference-fail" }]);
    const wrong = await run(input, { stage: "references", judge, fields, expect: "fail" });
    expect(wrong.kept).toMatchObject([{ id: "b" }]);
  });

  const say = (answer: string) => `hm</think> \\boxed{${answer}}`;
  const answers = (id: string, ...responses: readonly string[]) =>
    responses.map((response, i) => ({ id, response, tokens: 100 + i }));

  it("vote keeps what a teacher mostly answers as the reference says, however it is written", async () => {
    const input = fileOf(["a", "b", "c", "d", "e"].map((id) => ({ id, problem: "Q", answer: "1/2" })));
    const rollouts = fileOf([
      ...answers("a", say("0.5"), say("\\frac12"), say("3"), say("4"), say("5")),
      ...answers("b", say("0.5"), say("2"), say("4/2"), say("\\frac12")),
      ...answers("c", say("1"), say("2")),
      ...answers("d", say("0.5"), "no box </think>", "cut off", "cut off"),
    ]);
    const { kept, dropped } = await run(input, { stage: "vote", columns, judge, origin }, { rollouts });
    expect(kept).toMatchObject([
      { id: "a", difficulty: { attempts: 5, passes: 2, tokens: 102, policy: "teacher-1", verifier: "math" } },
      { id: "d", difficulty: { attempts: 4, passes: 1 } },
    ]);
    expect(dropped).toMatchObject([
      { id: "b", reason: "majority-differs" },
      { id: "c", reason: "never-solved" },
      { id: "e", reason: "no-rollouts" },
    ]);
  });

  it("score keeps the never-solved, and drops what could not be judged", async () => {
    const input = fileOf([
      { id: "a", problem: "Q", answer: "1/2" },
      { id: "b", problem: "Q", answer: "\\frac{1}{" },
    ]);
    const rollouts = fileOf([...answers("b", say("1")), ...answers("a", say("3"), say("4"))]);
    const { kept, dropped } = await run(input, { stage: "score", columns, judge, origin }, { rollouts });
    expect(kept).toMatchObject([{ id: "a", difficulty: { attempts: 2, passes: 0, sampling: "T 0.6" } }]);
    expect(dropped).toMatchObject([{ id: "b", reason: "not-gradable" }]);
  });

  it("split puts every row on one side, and the same side whatever the others are", async () => {
    const rows = Array.from({ length: 500 }, (_, i) => ({ id: `row ${i}` }));
    const sides = async (some: readonly object[]) => {
      const input = fileOf(some);
      const [train, evaluation] = await Promise.all(
        (["train", "eval"] as const).map((part) => run(input, { stage: "split", part, heldOut: 0.2 })),
      );
      return { train: train?.kept ?? [], evaluation: evaluation?.kept ?? [] };
    };
    const all = await sides(rows);
    expect(all.train.length + all.evaluation.length).toBe(500);
    expect(Math.abs(all.evaluation.length - 100)).toBeLessThan(45);
    const half = await sides(rows.filter((_, i) => i % 2 === 0));
    expect(all.evaluation).toEqual(expect.arrayContaining(half.evaluation));
  });
});
