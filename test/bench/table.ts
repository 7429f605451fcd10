import { availableParallelism } from "node:os";
import type { Area, Findings } from "./area.js";
import { ratioOf, type Row } from "./row.js";

const COLUMNS: readonly { readonly title: string; readonly cell: (row: Row) => string }[] = [
  { title: "name", cell: ({ name }) => name },
  { title: "value", cell: ({ value }) => number(value) },
  { title: "±", cell: ({ spread }) => (spread === null ? "" : percent(spread)) },
  { title: "cores", cell: ({ cores }) => (cores === null ? "" : cores.toFixed(1)) },
  { title: "unit", cell: ({ unit }) => unit },
  { title: "limit", cell: ({ limit }) => (limit === null ? "-" : number(limit)) },
  { title: "of limit", cell: share },
  { title: "of its cores'", cell: shareOfCores },
  { title: "peer", cell: ({ peer }) => (peer === null ? "-" : number(peer)) },
  { title: "to peer", cell: ({ value, peer }) => (peer === null ? "" : `${(value / peer).toFixed(2)}×`) },
];

/** Columns whose cells are words. */
const LEFT = ["name", "unit"];

/** What people read of one area: a sentence on its limits, the table, the notes. */
export function areaText({ name, limits }: Pick<Area, "name" | "limits">, { rows, notes }: Findings): string {
  const columns = COLUMNS.filter(({ cell }) => rows.some((row) => !["", "-"].includes(cell(row))));
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const table = lines.map((line) =>
    line
      .map((text, column) => {
        const width = widths[column] ?? 0;
        return LEFT.includes(columns[column]?.title ?? "") ? text.padEnd(width) : text.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
  return [`${name}: ${limits}`, "", ...table, ...(notes.length > 0 ? [""] : []), ...notes].join("\n");
}

/** A rate as a share; what takes longer than the least possible as a multiple. */
function share(row: Row): string {
  const ratio = ratioOf(row);
  if (ratio === null) return "";
  return ratio > 1 ? `${ratio.toFixed(2)}×` : percent(ratio);
}

/** The share of what the cores that the row got could have done. */
function shareOfCores(row: Row): string {
  const ratio = ratioOf(row);
  return ratio === null || row.cores === null ? "" : percent((ratio * availableParallelism()) / row.cores);
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}

/** Three figures are more than a repetition keeps. */
function number(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3);
}
