import type { ArmSummary } from "../report/report-data.js";
import { displayWidth } from "./printable.js";
import { count, unitShare } from "./quantities.js";
import { ticks } from "./ticks.js";

/** One labelled mark of a scatter plot. */
export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  readonly mark: string;
  readonly label: string;
}

/** A scatter plot's points, and how its axes are written. */
export interface Plot {
  readonly points: readonly PlotPoint[];
  readonly title: string;
  readonly xUnit: string;
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
}

/**
 * A scatter plot in text, with axes. A label that would hide another goes to the other side of its mark, or away.
 * Points that are not finite are left out.
 *
 * @param size width and height of the whole plot in characters
 */
export function textPlot(
  { points, title, xUnit, formatX, formatY }: Plot,
  size: { width: number; height: number },
): string {
  const drawn = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  if (drawn.length === 0) return ` ${title}\n (nothing to show)`;
  const yTicks = ticks(Math.min(...drawn.map(({ y }) => y)), Math.max(...drawn.map(({ y }) => y)), 4);
  const xTicks = ticks(0, Math.max(1, ...drawn.map(({ x }) => x)), Math.max(2, Math.floor(size.width / 14)));
  const gutter = Math.max(...yTicks.map((tick) => formatY(tick).length)) + 2;
  const columns = Math.max(10, size.width - gutter - 2 - xUnit.length);
  const rows = Math.max(4, size.height - 4);
  const column = position(xTicks, columns);
  const row = position(yTicks, rows);

  const canvas = Array.from({ length: rows }, () => Array.from({ length: columns }, () => " "));
  const put = (y: number, x: number, text: string): void => {
    [...text].forEach((character, i) => canvas[y]?.splice(x + i, 1, character));
  };
  const isFree = (y: number, from: number, to: number): boolean =>
    from >= 0 && to <= columns && (canvas[y] ?? []).slice(from, to).every((character) => character === " ");
  // All marks first: a label gives way to a mark, never the other way round.
  for (const { x, y, mark } of drawn) put(row(y), column(x), mark);
  for (const { x, y, label } of drawn) {
    const [atRow, atColumn, width] = [row(y), column(x), displayWidth(label)];
    const start = [atColumn + 2, atColumn - width - 1].find((from) => isFree(atRow, from, from + width));
    if (start !== undefined) put(atRow, start, label);
  }

  const yLabels = new Map(yTicks.map((tick) => [row(tick), formatY(tick)]));
  const lines = canvas
    .map((cells, r) => {
      const label = yLabels.get(r);
      return `${(label ?? "").padStart(gutter - 1)} ${label === undefined ? "│" : "┤"}${cells.join("").trimEnd()}`;
    })
    .toReversed();
  const axis = Array.from({ length: columns }, () => "─");
  const numbers = Array.from({ length: columns + gutter + 2 }, () => " ");
  for (const tick of xTicks) {
    axis.splice(column(tick), 1, "┬");
    const text = formatX(tick);
    [...text].forEach((character, i) =>
      numbers.splice(gutter + 1 + column(tick) - Math.floor((text.length - 1) / 2) + i, 1, character),
    );
  }
  return [` ${title}`, ...lines, `${" ".repeat(gutter)}└${axis.join("")} ${xUnit}`, numbers.join("").trimEnd()].join(
    "\n",
  );
}

/** Maps the range of the ticks to whole positions 0 … cells − 1. */
function position(range: readonly number[], cells: number): (value: number) => number {
  const [low, high] = [range[0] ?? 0, range.at(-1) ?? 1];
  return (value) => Math.round(((value - low) / (high - low)) * (cells - 1));
}

/** Held-out accuracy against tokens per answer: ● free to think, ○ told not to. */
export function accuracyPlot(arms: readonly ArmSummary[], n: number, width: number): string {
  return textPlot(
    {
      title: `accuracy on ${n} held-out tasks against tokens per answer   ● free to think  ○ thinking-free`,
      xUnit: "tokens",
      formatX: count,
      formatY: unitShare,
      points: arms.flatMap((arm) => [
        { x: arm.tokensPerAnswer, y: arm.accuracy, mark: "●", label: arm.name },
        { x: arm.tokensPerAnswerThinkFree, y: arm.accuracyThinkFree, mark: "○", label: arm.name },
      ]),
    },
    { width, height: 16 },
  );
}
