import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { TaskPool } from "../actors/task-pool.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { CurationOutput, finish, readProgress, type Progress } from "./curation-output.js";
import { filesOf, readReport, type CurationReport } from "./curation-report.js";
import { readRecords } from "./read-records.js";
import { RolloutIndex } from "./rollout-index.js";
import { textAt, type DataRow, type Decision, type RowStage } from "./row.js";
import { decideAll, type StageBatch } from "./stage-worker.js";
import { openStage, REMEMBERING, type StageOrder } from "./stages.js";

/** One stage over one file. */
export interface Curation {
  readonly input: string;
  readonly output: string;
  readonly order: StageOrder;
  /** Column that names a row; a row without it goes by its line. */
  readonly idColumn: string;
  /** Answers to the rows, lines of `{id, response, tokens?}`. */
  readonly rollouts?: string;
  /** Threads that decide; 1 decides on this one. */
  readonly threads: number;
  /** Writes the output anew, whatever lies there. */
  readonly restart: boolean;
  readonly onProgress?: (rows: number) => void;
}

/** A finished curation. */
export interface CurationOutcome {
  readonly report: CurationReport;
  /** Line after which an interrupted curation went on; 0 for one from the start, undefined for one that was done. */
  readonly resumedAt: number | undefined;
}

const ROWS_A_BATCH = 64;
const BATCHES_A_SAVE = 16;
/** Far above what a batch takes; a judge that hangs ends with it. */
const BATCH_DEADLINE_MS = 600_000;

/**
 * Runs one stage over a file of rows: kept rows go to the output in their order, unchanged but for fields the stage
 * adds; dropped ones to `<output>.dropped.jsonl` with reason and finding. A line that is no JSON object is dropped as
 * "no-json". Interrupted at any moment, the same call goes on where it was; finished, it does nothing again.
 *
 * @throws OUTPUT_EXISTS, LINES_UNREADABLE, ROWS_UNUSABLE, DISK_FULL, and what the stage refuses
 */
export async function curate(curation: Curation): Promise<CurationOutcome> {
  const { input, output, order, restart } = curation;
  const source = { path: input, sha256: await sha256Of(input) };
  const rollouts =
    curation.rollouts === undefined ? null : { path: curation.rollouts, sha256: await sha256Of(curation.rollouts) };
  const key = createHash("sha256")
    .update(JSON.stringify([source.sha256, rollouts?.sha256, order, curation.idColumn]))
    .digest("hex");
  const done = restart ? undefined : await readReport(output);
  if (done?.key === key && existsSync(output)) return { report: done, resumedAt: undefined };
  const progress = restart ? undefined : await readProgress(output);
  if (progress?.key !== key && existsSync(output) && !restart)
    throw errors.outputExists({ path: output, problem: "it lies there already, made from other rows or options" });
  const start = progress?.key === key ? progress : nothingDone(key);
  const end = await run(curation, start);
  if (end.rows > 0 && (end.dropped["field-missing"] ?? 0) === end.rows)
    throw errors.rowsUnusable({
      input,
      rows: end.rows,
      problem: `a column is missing; ${filesOf(output).dropped} has which`,
    });
  const report: CurationReport = {
    key,
    order,
    input: source,
    rollouts,
    output,
    rows: end.rows,
    kept: end.kept,
    dropped: end.dropped,
    before: (await readReport(input)) ?? null,
  };
  await finish(output, report);
  return { report, resumedAt: start.line };
}

function nothingDone(key: string): Progress {
  return { key, line: 0, rows: 0, kept: 0, dropped: {}, keptBytes: 0, droppedBytes: 0 };
}

interface Batch {
  readonly rows: readonly { readonly row: DataRow; readonly text: string }[];
  readonly bad: readonly number[];
  readonly lastLine: number;
  readonly decisions: Promise<readonly Decision[]>;
}

async function run(curation: Curation, start: Progress): Promise<Progress> {
  const { order, threads, onProgress } = curation;
  const index = curation.rollouts === undefined ? undefined : await RolloutIndex.open(curation.rollouts);
  const isRemembering = REMEMBERING.includes(order.stage);
  const decider = await openDecider(order, isRemembering ? 1 : threads);
  const output = await CurationOutput.open(curation.output, start);
  let at: Progress = start;
  const write = async ({ rows, bad, lastLine, decisions }: Batch): Promise<void> => {
    const dropped: Record<string, number> = { ...at.dropped };
    let kept = at.kept;
    const note = (record: { readonly line: number; readonly reason: string }): void => {
      dropped[record.reason] = (dropped[record.reason] ?? 0) + 1;
      output.drop(record);
    };
    for (const line of bad) note({ line, reason: "no-json" });
    for (const [position, decision] of (await decisions).entries()) {
      const one = rows[position];
      if (one === undefined) continue;
      if (!decision.keep) {
        const { reason, found } = decision;
        note({ line: one.row.number, ...{ id: one.row.id }, reason, ...(found === undefined ? {} : { found }) });
        continue;
      }
      kept++;
      output.keep(decision.add === undefined ? one.text : JSON.stringify({ ...one.row.value, ...decision.add }));
    }
    at = { ...at, line: lastLine, rows: at.rows + rows.length + bad.length, kept, dropped };
    onProgress?.(at.rows);
  };
  try {
    const underWay: Batch[] = [];
    let written = 0;
    for await (const { rows, bad, lastLine } of batchesOf(curation, index, isRemembering ? 0 : start.line)) {
      const batch = { order, rows: rows.map(({ row }) => row) };
      const decisions = decide(decider, batch);
      // A failure is met where its turn comes, and is not unheard until then.
      decisions.catch(() => undefined);
      if (lastLine <= start.line) {
        await decisions;
        continue;
      }
      underWay.push({ rows, bad, lastLine, decisions });
      const first = underWay.length >= 2 * threads ? underWay.shift() : undefined;
      if (first === undefined) continue;
      await write(first);
      if (++written % BATCHES_A_SAVE === 0) await output.save(at);
    }
    for (const rest of underWay) await write(rest);
    await output.save(at);
    return at;
  } catch (error) {
    // Of a task that failed on a thread, its cause says what was wrong with which row.
    throw error instanceof TroupeError && error.code === "TASK_FAILED" && error.cause instanceof TroupeError
      ? error.cause
      : error;
  } finally {
    await output.close();
    await index?.close();
    await decider.close?.();
  }
}

async function* batchesOf(
  { input, idColumn }: Curation,
  index: RolloutIndex | undefined,
  after: number,
): AsyncGenerator<Pick<Batch, "rows" | "bad" | "lastLine">, void> {
  let rows: { row: DataRow; text: string }[] = [];
  let bad: number[] = [];
  let lastLine = after;
  for await (const { number, text, value } of readRecords(input)) {
    if (number <= after) continue;
    lastLine = number;
    if (value === undefined) bad.push(number);
    else {
      const id = textAt(value, idColumn) ?? String(number);
      const rollouts = index === undefined ? {} : { rollouts: await index.of(id) };
      rows.push({ row: { number, id, value, ...rollouts }, text });
    }
    // Counted from the first row, batches end at the same lines again when a remembering stage goes through all of them.
    if (rows.length + bad.length < ROWS_A_BATCH) continue;
    yield { rows, bad, lastLine };
    [rows, bad] = [[], []];
  }
  if (rows.length + bad.length > 0) yield { rows, bad, lastLine };
}

/** The stage itself, or threads that have it each: for one thread, or where it has its own workers, the stage. */
async function openDecider(
  order: StageOrder,
  threads: number,
): Promise<TaskPool<StageBatch, readonly Decision[]> | RowStage> {
  const stage = await openStage(order);
  if (threads === 1 || (stage.atOnce ?? 1) > 1) return stage;
  await stage.close?.();
  return openPool(threads);
}

function openPool(threads: number): TaskPool<StageBatch, readonly Decision[]> {
  // A thread of Node 20 runs JavaScript only: from TypeScript sources, as in tests, the built file is taken.
  const built = import.meta.url.endsWith(".ts") ? "../../dist/src/data/stage-worker.js" : "./stage-worker.js";
  const module = new URL(built, import.meta.url).href;
  return new TaskPool({ module, exportName: "decideBatch", threads, maxQueue: 4 * threads });
}

function decide(
  decider: TaskPool<StageBatch, readonly Decision[]> | RowStage,
  batch: StageBatch,
): Promise<readonly Decision[]> {
  return "run" in decider ? decider.run(batch, { deadlineMs: BATCH_DEADLINE_MS }) : decideAll(decider, batch.rows);
}

/** @throws LINES_UNREADABLE */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (cause) {
    throw errors.linesUnreadable(
      { source: path, problem: cause instanceof Error ? cause.message : String(cause) },
      cause,
    );
  }
  return hash.digest("hex");
}
