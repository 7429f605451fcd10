import { CHART_STYLE, drawing, legend, legendRows, stylesOf } from "./chart-frame.js";
import { CURVE_NAMES, trainingCurve } from "./curves.js";
import { markup, type Markup } from "./markup.js";
import type { ReportData } from "./report-data.js";
import { accuracyScatter } from "./scatter-chart.js";

type Drawn = Pick<ReportData, "title" | "n" | "arms" | "curves" | "marks">;

/** `summary.svg`: accuracy against tokens per answer, and the four training curves, as one drawing on its own. */
export function summarySvg(data: Drawn): string {
  return `${summaryDrawing(data, CHART_STYLE)}\n`;
}

/** The same within a page, which has the style of charts already. */
export function summaryDrawing(data: Drawn, style?: string): Markup {
  const [width, height] = [1160, 560];
  const styles = stylesOf(data.arms.map(({ name }) => name));
  const content = markup`<text class="title" x="16" y="28">${data.title}</text>
${legend(536, 28, legendRows(styles, width - 548))}
${accuracyScatter(data.arms, data.n, { x: 12, y: 48, width: 500, height: 500 })}
${CURVE_NAMES.map((name, i) =>
  trainingCurve(name, data, { x: 532 + (i % 2) * 312, y: 48 + Math.floor(i / 2) * 252, width: 308, height: 248 }),
)}`;
  return drawing(width, height, `${data.title}: accuracy against tokens per answer`, content, style);
}
