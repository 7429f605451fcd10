import { ticks } from "../render/ticks.js";
import { markup, Markup } from "./markup.js";

/** A place in a drawing, in pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is written on a chart's axes. */
export interface Axes {
  readonly title: string;
  readonly xLabel: string;
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
  /** Values that the axes must cover. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** The x axis counts: only whole numbers are written on it. */
  readonly hasWholeX?: boolean;
}

/** A chart's axes as drawn, and where values lie. */
export interface Frame {
  readonly drawing: Markup;
  readonly inner: Box;
  toX(value: number): number;
  toY(value: number): number;
}

/** Number of distinct series styles. */
export const SERIES_STYLES = 7;

/** Pixels from one row of a legend to the next. */
export const LEGEND_ROW = 20;

/**
 * The style of every chart, for a drawing's `<style>` or a page's. Series colours are blue, vermilion, green, purple,
 * ochre and the colour of ink, told apart by people with any colour vision on white and on black; style 0 is grey, for
 * the base. Marks have shapes of their own too.
 */
export const CHART_STYLE = `
.chart text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#57606a}
.chart .title{font-size:13px;font-weight:600;fill:#1f2328}.chart .strong{font-weight:600;fill:#1f2328}.chart .small{font-size:10.5px}
.chart .page{fill:#fff}.chart .grid{stroke:#d8dee4;stroke-width:1}.chart .axis{stroke:#8c959f;stroke-width:1}
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.chart .raw{fill:none;stroke-width:1;opacity:.3}
.chart .thin{fill:none;stroke-width:1.25;opacity:.75}.chart .dotted{stroke-dasharray:2 4}.chart .dashed{stroke-dasharray:7 4}
.chart .mark{stroke-width:2}.chart .hollow{fill:#fff;stroke-width:2}
.chart .s0{stroke:#6e7781}.chart .s1{stroke:#0a6ebd}.chart .s2{stroke:#d0530a}.chart .s3{stroke:#07875e}.chart .s4{stroke:#a8488f}.chart .s5{stroke:#9a7400}.chart .s6{stroke:#1f2328}
.chart .f0{fill:#6e7781}.chart .f1{fill:#0a6ebd}.chart .f2{fill:#d0530a}.chart .f3{fill:#07875e}.chart .f4{fill:#a8488f}.chart .f5{fill:#9a7400}.chart .f6{fill:#1f2328}
@media (prefers-color-scheme:dark){
.chart text{fill:#9aa4af}.chart .title,.chart .strong{fill:#e6edf3}
.chart .page,.chart .hollow{fill:#0d1117}.chart .grid{stroke:#262c34}.chart .axis{stroke:#57606a}
.chart .s0{stroke:#8c96a0}.chart .s1{stroke:#4fa8f5}.chart .s2{stroke:#f0883e}.chart .s3{stroke:#2fbf8f}.chart .s4{stroke:#d67fc0}.chart .s5{stroke:#d9b84a}.chart .s6{stroke:#e6edf3}
.chart .f0{fill:#8c96a0}.chart .f1{fill:#4fa8f5}.chart .f2{fill:#f0883e}.chart .f3{fill:#2fbf8f}.chart .f4{fill:#d67fc0}.chart .f5{fill:#d9b84a}.chart .f6{fill:#e6edf3}
}`;

/** The style number of each arm: the base is grey, the others take the colours in turn. */
export function stylesOf(arms: readonly string[]): ReadonlyMap<string, number> {
  let next = 0;
  return new Map(arms.map((arm) => [arm, arm === "base" ? 0 : 1 + (next++ % (SERIES_STYLES - 1))]));
}

/** Draws title, grid, ticks and labels within a box. */
export function frameIn(box: Box, axes: Axes): Frame {
  const inner: Box = { x: box.x + 44, y: box.y + 30, width: box.width - 60, height: box.height - 78 };
  const [left, right] = rangeOf(axes.x);
  const wanted = Math.max(2, inner.width / 90);
  const xTicks = ticks(left, right, axes.hasWholeX === true ? Math.min(wanted, Math.max(1, right - left)) : wanted);
  const yTicks = ticks(...rangeOf(axes.y), Math.max(2, inner.height / 42));
  const toX = scale(xTicks, inner.x, inner.x + inner.width);
  const toY = scale(yTicks, inner.y + inner.height, inner.y);
  const bottom = inner.y + inner.height;
  const drawing = markup`<text class="title" x="${box.x + 4}" y="${box.y + 16}">${axes.title}</text>
${yTicks.map(
  (
    tick,
  ) => markup`<line class="grid" x1="${inner.x}" x2="${inner.x + inner.width}" y1="${round(toY(tick))}" y2="${round(toY(tick))}"/>
<text x="${inner.x - 7}" y="${round(toY(tick) + 4)}" text-anchor="end">${axes.formatY(tick)}</text>`,
)}
<line class="axis" x1="${inner.x}" x2="${inner.x + inner.width}" y1="${bottom}" y2="${bottom}"/>
${xTicks.map(
  (
    tick,
  ) => markup`<line class="axis" x1="${round(toX(tick))}" x2="${round(toX(tick))}" y1="${bottom}" y2="${bottom + 5}"/>
<text x="${round(toX(tick))}" y="${bottom + 19}" text-anchor="middle">${axes.formatX(tick)}</text>`,
)}
<text x="${inner.x + inner.width}" y="${bottom + 38}" text-anchor="end">${axes.xLabel}</text>`;
  return { drawing, inner, toX, toY };
}

/** The mark of a series: a shape of its own for each style, hollow for a second mode. */
export function markAt(x: number, y: number, style: number, isHollow: boolean, about: string, size = 6): Markup {
  const paint = isHollow ? `mark hollow s${style}` : `mark s${style} f${style}`;
  const at = (dx: number, dy: number): string => `${round(x + dx * size)},${round(y + dy * size)}`;
  const shapes = [
    [at(-0.9, -0.9), at(0.9, -0.9), at(0.9, 0.9), at(-0.9, 0.9)],
    [],
    [at(0, -1.15), at(1.1, 0.85), at(-1.1, 0.85)],
    [at(0, -1.25), at(1.25, 0), at(0, 1.25), at(-1.25, 0)],
    [at(0, 1.15), at(1.1, -0.85), at(-1.1, -0.85)],
    [at(1.15, 0), at(-0.85, 1.1), at(-0.85, -1.1)],
    [at(-1.15, 0), at(0.85, 1.1), at(0.85, -1.1)],
  ];
  const corners = shapes[style] ?? [];
  const title = markup`<title>${about}</title>`;
  return corners.length === 0
    ? markup`<circle class="${paint}" cx="${round(x)}" cy="${round(y)}" r="${size}">${title}</circle>`
    : markup`<polygon class="${paint}" points="${corners.join(" ")}">${title}</polygon>`;
}

/** A legend's entries, in as many rows as it takes to stay within a width. */
export function legendRows(styles: ReadonlyMap<string, number>, width: number): readonly (readonly LegendEntry[])[] {
  const rows: LegendEntry[][] = [[]];
  let at = 0;
  for (const [name, style] of styles) {
    const end = at + 18 + textWidth(name);
    if (at > 0 && end > width) {
      rows.push([]);
      at = 0;
    }
    rows.at(-1)?.push({ name, style, x: at });
    at += 40 + textWidth(name);
  }
  return rows;
}

/** One name of a legend, `x` pixels from its left side. */
interface LegendEntry {
  readonly name: string;
  readonly style: number;
  readonly x: number;
}

/** The legend of a drawing: one mark and name an arm, in rows about the height `y`. */
export function legend(x: number, y: number, rows: ReturnType<typeof legendRows>): Markup {
  const top = y - ((rows.length - 1) * LEGEND_ROW) / 2;
  return markup`${rows.map((row, index) =>
    row.map((entry) => {
      const [left, line] = [x + entry.x, top + index * LEGEND_ROW];
      return markup`${markAt(left + 6, line - 4, entry.style, false, entry.name, 5)}<text class="strong" x="${left + 18}" y="${line}">${entry.name}</text>`;
    }),
  )}`;
}

/** A whole drawing; `style` is left out within a page that has `CHART_STYLE`. */
export function drawing(width: number, height: number, about: string, content: Markup, style?: string): Markup {
  // The style is ours and holds no markup; inside an element it must not be escaped.
  const sheet = style === undefined ? "" : new Markup(`<style>${style}</style>`);
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${about}">${sheet}
<rect class="page" width="${width}" height="${height}"/>
${content}
</svg>`;
}

/** Pixels with one decimal. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** About how wide a label is, in pixels. */
export function textWidth(text: string): number {
  return text.length * 7;
}

function rangeOf(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  return finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
}

function scale(range: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [range[0] ?? 0, range.at(-1) ?? 1];
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}
