import { frameIn, markAt, round, type Axes, type Box } from "./chart-frame.js";
import { markup, type Markup } from "./markup.js";

/** One line of a chart. */
export interface Series {
  readonly name: string;
  readonly style: number;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A vertical line with its name. */
export interface EventLine {
  readonly x: number;
  readonly style: number;
  readonly label: string;
}

/** Series with at least this many points are smoothed; fewer are shown as marks joined by lines. */
const SMOOTHED_FROM = 30;

/**
 * Lines over a common axis. Long series are drawn twice, raw and pale beneath, smoothed above; a series of one point
 * is a level line across the chart. Points that are not finite are left out.
 */
export function lineChart(
  axes: Omit<Axes, "x" | "y"> & { readonly cover: { readonly x: readonly number[]; readonly y: readonly number[] } },
  series: readonly Series[],
  events: readonly EventLine[],
  box: Box,
): Markup {
  const drawn = series
    .map((one) => ({ ...one, points: one.points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)) }))
    .filter(({ points }) => points.length > 0);
  const all = drawn.flatMap(({ points }) => points);
  const frame = frameIn(box, {
    ...axes,
    x: [...axes.cover.x, ...all.map(({ x }) => x)],
    y: [...axes.cover.y, ...all.map(({ y }) => y)],
  });
  const { inner } = frame;
  const path = (points: Series["points"]): string =>
    points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${round(frame.toX(x))} ${round(frame.toY(y))}`).join("");
  const lines = drawn.map(({ name, style, points }) => {
    const [first] = points;
    if (points.length === 1 && first !== undefined) {
      const y = round(frame.toY(first.y));
      const about = `${name}: ${axes.formatY(first.y)}`;
      return markup`<path class="thin dashed s${style}" d="M${inner.x} ${y}H${inner.x + inner.width}"><title>${about}</title></path>`;
    }
    if (points.length < SMOOTHED_FROM) {
      const marks = points.map(({ x, y }) =>
        markAt(frame.toX(x), frame.toY(y), style, false, `${name}: ${axes.formatY(y)} at ${axes.formatX(x)}`, 3.5),
      );
      return markup`<path class="line s${style}" d="${path(points)}"/>${marks}`;
    }
    return markup`<path class="raw s${style}" d="${path(points)}"/><path class="line s${style}" d="${path(smooth(points))}"><title>${name}</title></path>`;
  });
  const marks = events.map(({ x, style, label }) => {
    const at = round(frame.toX(x));
    return markup`<path class="thin dotted s${style}" d="M${at} ${inner.y}V${inner.y + inner.height}"><title>${label}</title></path>
<path class="f${style}" d="M${at - 4} ${inner.y - 5}h8l-4 6z"><title>${label}</title></path>`;
  });
  return markup`<g>${frame.drawing}
${marks}
${lines}</g>`;
}

/**
 * Mean over a window of a fifteenth of the series, centred and cut at the ends, so that a line neither lags behind
 * its points nor begins away from them.
 */
function smooth(points: Series["points"]): Series["points"] {
  const reach = Math.max(1, Math.floor(points.length / 30));
  return points.map(({ x }, i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1);
    return { x, y: near.reduce((sum, { y }) => sum + y, 0) / near.length };
  });
}
