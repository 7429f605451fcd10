import { count, percent, significant } from "../render/quantities.js";
import { stylesOf, type Box } from "./chart-frame.js";
import { lineChart } from "./line-chart.js";
import type { Markup } from "./markup.js";
import type { ArmSummary, CurveName, ReportData } from "./report-data.js";

/** The four curves, in the order in which they are shown. */
export const CURVE_NAMES = ["reward", "accuracy", "tokens", "thinkRate"] as const satisfies readonly CurveName[];

const LABELS: Readonly<
  Record<CurveName, { title: string; formatY: (value: number) => string; cover: readonly number[] }>
> = {
  reward: { title: "Reward in training", formatY: significant, cover: [0, 1] },
  accuracy: { title: "Held-out accuracy", formatY: percent, cover: [0, 1] },
  tokens: { title: "Tokens per answer in training", formatY: count, cover: [0] },
  thinkRate: { title: "Think rate in training", formatY: percent, cover: [0, 1] },
};

/** One quantity over training tokens, one line an arm; the base's accuracy is a level line. */
export function trainingCurve(
  name: CurveName,
  { arms, curves, marks }: Pick<ReportData, "arms" | "curves" | "marks">,
  box: Box,
): Markup {
  const styles = stylesOf(arms.map((arm) => arm.name));
  const { cover, ...labels } = LABELS[name];
  const series = curves
    .filter((curve) => curve.name === name)
    .map(({ arm, points }) => ({
      name: arm,
      style: styles.get(arm) ?? 0,
      points: points.map(({ trainTokens, value }) => ({ x: trainTokens, y: value })),
    }));
  const base = arms.find((arm) => arm.name === "base");
  const level =
    name === "accuracy" && base !== undefined ? [{ name: "base", style: 0, points: [{ x: 0, y: base.accuracy }] }] : [];
  // All four charts have the same axis, whatever their own curves cover.
  const ends = curves.map(({ points }) => points.at(-1)?.trainTokens ?? 0);
  const events = marks.map(({ arm, trainTokens, label }) => ({
    x: trainTokens,
    style: styles.get(arm) ?? 0,
    label: `${arm}: ${label}`,
  }));
  return lineChart(
    { ...labels, xLabel: "response tokens sampled in training", formatX: count, cover: { x: [0, ...ends], y: cover } },
    [...level, ...series],
    events,
    box,
  );
}

/** Accuracy or think rate of each arm's own way to answer, over the difficulty of the held-out tasks. */
export function difficultyCurve(name: "accuracy" | "thinkRate", arms: readonly ArmSummary[], box: Box): Markup {
  const styles = stylesOf(arms.map((arm) => arm.name));
  const series = arms.map((arm) => ({
    name: arm.name,
    style: styles.get(arm.name) ?? 0,
    points: (arm.modes[0]?.byDifficulty ?? []).map((slice) => ({ x: slice.difficulty, y: slice[name] })),
  }));
  const title = name === "accuracy" ? "Accuracy by difficulty" : "Think rate by difficulty";
  return lineChart(
    { title, xLabel: "difficulty", formatX: String, hasWholeX: true, formatY: percent, cover: { x: [], y: [0, 1] } },
    series,
    [],
    box,
  );
}
