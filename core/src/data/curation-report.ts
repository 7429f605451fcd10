import { readFile } from "node:fs/promises";
import { isMissing } from "../store/durable-files.js";
import type { StageOrder } from "./stages.js";

/** What one stage did to a file of rows; `<out>.report.json` beside its output. */
export interface CurationReport {
  /** Identifies input, rollouts and options: the same key means the same output. */
  readonly key: string;
  readonly order: StageOrder;
  readonly input: { readonly path: string; readonly sha256: string };
  readonly rollouts: { readonly path: string; readonly sha256: string } | null;
  readonly output: string;
  readonly rows: number;
  readonly kept: number;
  /** Rows dropped, by reason; `<out>.dropped.jsonl` has each with what was found. */
  readonly dropped: Readonly<Record<string, number>>;
  /** The report of the stage that made the input, if one lies beside it. */
  readonly before: CurationReport | null;
}

/** Where a stage keeps what belongs to an output. */
export function filesOf(output: string): {
  readonly dropped: string;
  readonly report: string;
  readonly progress: string;
} {
  return {
    dropped: `${output}.dropped.jsonl`,
    report: `${output}.report.json`,
    progress: `${output}.progress.json`,
  };
}

/** The report beside an output; undefined where there is none. */
export async function readReport(output: string): Promise<CurationReport | undefined> {
  try {
    // Reports are written whole by this package.
    return JSON.parse(await readFile(filesOf(output).report, "utf8")) as CurationReport;
  } catch (cause) {
    if (isMissing(cause) || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** A report and those before it, first stage first. */
export function chainOf(report: CurationReport): readonly CurationReport[] {
  return report.before === null ? [report] : [...chainOf(report.before), report];
}
