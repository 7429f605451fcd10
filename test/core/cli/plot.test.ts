import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { textPlot } from "../../../core/cli/render/plot.js";
import { displayWidth } from "../../../core/cli/render/printable.js";
import { count, duration, percent, significant, unitShare } from "../../../core/cli/render/quantities.js";
import { armsTable, textTable } from "../../../core/cli/render/table.js";
import { ticks } from "../../../core/cli/render/ticks.js";
import { arms } from "./report-example.js";

describe("ticks()", () => {
  it("covers any range with round numbers, no more than twice as many as wanted", () => {
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        number,
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.integer({ min: 2, max: 9 }),
        (low, span, wanted) => {
          const all = ticks(low, low + span, wanted);
          const slack = span * 1e-6;
          expect(all[0]).toBeLessThanOrEqual(low + slack);
          expect(all.at(-1)).toBeGreaterThanOrEqual(low + span - slack);
          expect(all.length).toBeLessThanOrEqual(2 * wanted + 2);
        },
      ),
    );
  });

  it("handles a range of one value", () => {
    expect(ticks(0, 0, 4)).toEqual([0, 0.5, 1]);
  });
});

describe("textPlot()", () => {
  const plot = (points: readonly { x: number; y: number; label: string }[]) =>
    textPlot(
      {
        title: "t",
        xUnit: "tokens",
        formatX: count,
        formatY: unitShare,
        points: points.map((point) => ({ ...point, mark: "●" })),
      },
      { width: 60, height: 14 },
    );

  it("puts higher values above, larger ones to the right, and labels beside their marks", () => {
    const lines = plot([
      { x: 10, y: 0.2, label: "low" },
      { x: 40, y: 0.8, label: "high" },
    ]).split("\n");
    const [high, low] = [
      lines.findIndex((line) => line.includes("high")),
      lines.findIndex((line) => line.includes("● low")),
    ];
    expect(high).toBeGreaterThan(0);
    expect(low).toBeGreaterThan(high);
    expect(lines[high]?.indexOf("●")).toBeGreaterThan(lines[low]?.indexOf("●") ?? Infinity);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(60);
  });

  it("keeps every mark when labels would cover them", () => {
    const text = plot([
      { x: 10, y: 0.5, label: "a long label" },
      { x: 12, y: 0.5, label: "another" },
      { x: 60, y: 0.5, label: "at the edge" },
    ]);
    expect(text.match(/●/g)).toHaveLength(3);
    expect(text).toContain("at the edge ●");
  });

  it("leaves out what is not finite, and says when nothing is left", () => {
    expect(plot([{ x: NaN, y: 1, label: "gone" }])).toContain("nothing to show");
  });
});

describe("armsTable()", () => {
  it("has a line an arm with accuracy, interval, tokens, think rate, training tokens and time", () => {
    const lines = armsTable(arms).split("\n");
    expect(lines).toHaveLength(1 + arms.length);
    expect(lines[2]).toMatch(/^rlvr +\.73 \(\.68-\.78\) +41 +– \(–-–\) +– +100 % +1\.9 M +0:44$/);
  });
});

describe("textTable()", () => {
  it("aligns columns by display width", () => {
    const table = textTable(
      ["日", "abc"],
      [
        { title: "x", cell: (row) => row },
        { title: "len", align: "right", cell: (row) => String(row.length) },
      ],
    );
    expect(table).toBe("x    len\n日     1\nabc    3");
  });
});

describe("quantities", () => {
  it("write numbers for people, and a dash for what is not known", () => {
    expect([duration(44), duration(3723), duration(null)]).toEqual(["0:44", "1:02:03", "–"]);
    expect([count(940), count(41_234), count(1_900_000), count(999_600), count(NaN)]).toEqual([
      "940",
      "41 k",
      "1.9 M",
      "1.0 M",
      "–",
    ]);
    expect([unitShare(0.714), unitShare(1), unitShare(-0.3), unitShare(NaN)]).toEqual([".71", "1.00", "-.30", "–"]);
    expect([percent(0.385), percent(0.385, 1), significant(0.00412), significant(2310.4)]).toEqual([
      "39 %",
      "38.5 %",
      "0.00412",
      "2310",
    ]);
  });
});
