import type { DataRow, Decision, RowStage } from "./row.js";
import { openStage, type StageOrder } from "./stages.js";

/** A batch of rows for one stage. */
export interface StageBatch {
  readonly order: StageOrder;
  readonly rows: readonly DataRow[];
}

/** A thread serves one stage at a time, and making it (a judge, an index of benchmarks) costs more than a batch. */
let ready: { readonly key: string; readonly stage: Promise<RowStage> } | undefined;

/** Decides about a batch; runs on the threads of a task pool. */
export async function decideBatch({ order, rows }: StageBatch): Promise<readonly Decision[]> {
  const key = JSON.stringify(order);
  if (ready?.key !== key) ready = { key, stage: openStage(order) };
  return decideAll(await ready.stage, rows);
}

/** Decisions about rows, in their order. */
export async function decideAll(stage: RowStage, rows: readonly DataRow[]): Promise<readonly Decision[]> {
  const decisions: Decision[] = [];
  const atOnce = stage.atOnce ?? 1;
  for (let start = 0; start < rows.length; start += atOnce)
    decisions.push(...(await Promise.all(rows.slice(start, start + atOnce).map((row) => stage.decide(row)))));
  return decisions;
}
