import type { Calibration, CalibrationRow, Share } from "../../src/verify/calibrate.js";
import { textTable, type Column } from "./table.js";

const COLUMNS: readonly Column<CalibrationRow>[] = [
  { title: "category", cell: ({ category }) => category },
  { title: "cases", align: "right", cell: ({ cases }) => String(cases) },
  { title: "pass/fail", align: "right", cell: ({ cases, positives }) => `${positives}/${cases - positives}` },
  { title: "precision (95 %)", cell: ({ precision }) => shareText(precision) },
  { title: "recall (95 %)", cell: ({ recall }) => shareText(recall) },
];

/** Precision and recall of a verifier, a line for each category. */
export function calibrationText({ verifier, version, rows }: Calibration): string {
  return `${verifier} ${version}\n${textTable(rows, COLUMNS)}`;
}

/** The same table for a README. */
export function calibrationMarkdown({ rows }: Calibration): string {
  const lines = rows.map((row) => `| ${COLUMNS.map(({ cell }) => cell(row)).join(" | ")} |`);
  const align = COLUMNS.map((column) => (column.align === "right" ? "---:" : "---"));
  return [`| ${COLUMNS.map(({ title }) => title).join(" | ")} |`, `| ${align.join(" | ")} |`, ...lines].join("\n");
}

function shareText({ value, interval: { low, high } }: Share): string {
  if (Number.isNaN(value)) return "–";
  return `${percentage(value)} (${percentage(low)}–${percentage(high)})`;
}

function percentage(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
