import { describe, expect, it } from "vitest";
import { accuracyScatter } from "../../../core/cli/report/scatter-chart.js";
import type { ArmSummary } from "../../../core/cli/report/report-data.js";
import { arms } from "./report-example.js";

const BOX = { x: 12, y: 48, width: 500, height: 500 };

/** An arm measured both ways. */
function arm(name: string, own: readonly [number, number], free: readonly [number, number]): ArmSummary {
  const around = (accuracy: number): [number, number] => [accuracy - 0.02, accuracy + 0.02];
  return {
    ...arms[0]!,
    name,
    tokensPerAnswer: own[0],
    accuracy: own[1],
    ci95: around(own[1]),
    tokensPerAnswerThinkFree: free[0],
    accuracyThinkFree: free[1],
    ci95ThinkFree: around(free[1]),
  };
}

/** Boxes of the labels: text of 7 pixels a letter, 11 above its line and 3 below. */
function labelsOf(all: readonly ArmSummary[]) {
  const { text } = accuracyScatter(all, 400, BOX);
  return [...text.matchAll(/<text class="strong" x="([\d.]+)" y="([\d.]+)">([^<]+)<\/text>/g)].map(
    ([, x, y, name = ""]) => ({
      left: Number(x),
      right: Number(x) + 7 * name.length,
      top: Number(y) - 11,
      bottom: Number(y) + 3,
    }),
  );
}

type Label = ReturnType<typeof labelsOf>[number];

/** Pixels between two labels along the axis that keeps them further apart. */
function gap(a: Label, b: Label): number {
  return Math.max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom);
}

describe("accuracyScatter()", () => {
  it.each([
    [
      "an arm that answers alike both ways",
      [arm("base", [55, 0.73], [6, 0.21]), arm("never-think", [7.5, 0.4], [7, 0.41])],
    ],
    [
      "many arms in one place",
      [0, 1, 2, 3, 4].map((i) => arm(`arm-${i}`, [40 + i, 0.7 + i / 200], [12 + i, 0.5 - i / 200])),
    ],
  ])("keeps labels at least 8 pixels apart when there is %s", (_, all) => {
    const labels = labelsOf(all);
    // Where marks crowd, a label without a place is left out: the legend has every name.
    expect(labels.length).toBeGreaterThan(2);
    labels.forEach((a, i) => labels.slice(i + 1).forEach((b) => expect(gap(a, b)).toBeGreaterThanOrEqual(7.9)));
  });
});
