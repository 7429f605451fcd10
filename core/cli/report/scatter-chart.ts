import { count, percent } from "../render/quantities.js";
import { frameIn, markAt, round, stylesOf, textWidth, type Box } from "./chart-frame.js";
import { markup, type Markup } from "./markup.js";
import type { ArmSummary } from "./report-data.js";

interface Point {
  readonly arm: string;
  readonly style: number;
  readonly isThinkFree: boolean;
  readonly x: number;
  readonly y: number;
  readonly ci95: readonly [number, number];
}

/**
 * Held-out accuracy against tokens per answer: for each arm a filled mark for its own way to answer and a hollow one
 * for thinking-free answers, joined by a dotted line, each with its 95 % interval.
 */
export function accuracyScatter(arms: readonly ArmSummary[], n: number, box: Box): Markup {
  const styles = stylesOf(arms.map(({ name }) => name));
  const points = arms.flatMap((arm) => pointsOf(arm, styles.get(arm.name) ?? 0));
  const frame = frameIn(box, {
    title: `Accuracy on ${n} held-out tasks`,
    xLabel: "tokens per answer  ·  filled: free to think, hollow: thinking-free, bars: 95 %",
    formatX: count,
    formatY: percent,
    x: [0, ...points.map(({ x }) => x)],
    y: points.flatMap(({ y, ci95 }) => [y, ...ci95]),
  });
  const placed = points.map((point) => ({
    ...point,
    left: frame.toX(point.x),
    top: frame.toY(point.y),
    barTop: frame.toY(point.ci95[1]),
    barBottom: frame.toY(point.ci95[0]),
  }));
  const labels = placeLabels(placed, frame.inner);
  return markup`<g>${frame.drawing}
${arms.map(({ name }) => {
  const [from, to] = placed.filter(({ arm }) => arm === name);
  if (from === undefined || to === undefined) return "";
  const ends = `M${round(from.left)} ${round(from.top)}L${round(to.left)} ${round(to.top)}`;
  return markup`<path class="thin dotted s${from.style}" d="${ends}"/>`;
})}
${placed.map(({ left, barTop, barBottom, style }) => {
  const [x, y1, y2] = [round(left), round(barBottom), round(barTop)];
  return markup`<path class="thin s${style}" d="M${x} ${y1}V${y2}M${x - 4} ${y1}h8M${x - 4} ${y2}h8"/>`;
})}
${placed.map((point) => markAt(point.left, point.top, point.style, point.isThinkFree, describe(point), 7))}
${labels.map(({ x, y, text }) => markup`<text class="strong" x="${round(x)}" y="${round(y)}">${text}</text>`)}
</g>`;
}

function pointsOf(arm: ArmSummary, style: number): readonly Point[] {
  const own = { arm: arm.name, style, isThinkFree: false, x: arm.tokensPerAnswer, y: arm.accuracy, ci95: arm.ci95 };
  const free = {
    arm: arm.name,
    style,
    isThinkFree: true,
    x: arm.tokensPerAnswerThinkFree,
    y: arm.accuracyThinkFree,
    ci95: arm.ci95ThinkFree,
  };
  return [own, free].filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
}

function describe({ arm, isThinkFree, x, y, ci95: [low, high] }: Point): string {
  const way = isThinkFree ? "thinking-free" : "free to think";
  return `${arm}, ${way}: ${percent(y, 1)} (${percent(low, 1)} to ${percent(high, 1)}), ${x.toFixed(1)} tokens per answer`;
}

interface Placed extends Point {
  readonly left: number;
  readonly top: number;
  readonly barTop: number;
  readonly barBottom: number;
}

interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Pixels between two labels at least; nearer ones read as one. */
const LABEL_GAP = 8;

/**
 * Each label stands beside its mark, on the first side where it covers neither a mark nor a bar and keeps its distance
 * from every other label; none where no side is free.
 */
function placeLabels(points: readonly Placed[], inner: Box): readonly Label[] {
  const taken = points.flatMap(({ left, top, barTop, barBottom }) => [
    { x: left - 9, y: top - 9, width: 18, height: 18 },
    { x: left - 4, y: barTop, width: 8, height: barBottom - barTop },
  ]);
  const labels: Box[] = [];
  return points.flatMap(({ arm, left, top }) => {
    const width = textWidth(arm);
    const sides = [
      [left + 13, top + 4],
      [left - 13 - width, top + 4],
      [left + 8, top - 12],
      [left + 8, top + 20],
      [left - 8 - width, top - 12],
      [left - 8 - width, top + 20],
    ] as const;
    for (const [x, y] of sides) {
      const box = { x, y: y - 11, width, height: 14 };
      const isInside =
        x > inner.x && x + width < inner.x + inner.width + 14 && y < inner.y + inner.height && box.y > inner.y - 6;
      const isFree =
        !taken.some((other) => overlaps(box, other)) && !labels.some((other) => overlaps(wide(box), other));
      if (isInside && isFree) {
        labels.push(box);
        return [{ x, y, text: arm }];
      }
    }
    return [];
  });
}

function wide({ x, y, width, height }: Box): Box {
  return { x: x - LABEL_GAP, y: y - LABEL_GAP, width: width + 2 * LABEL_GAP, height: height + 2 * LABEL_GAP };
}

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
