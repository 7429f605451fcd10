import { describe, expect, test } from "vitest";
import { legendRows, stylesOf, textWidth } from "../../../core/cli/report/chart-frame.js";

const ARMS = ["base", "rmt", "no-budget", "no-next-token", "no-curriculum", "later-from-base", "later-from-rmt"];

describe("stylesOf()", () => {
  test("tells a base and six arms apart", () => {
    expect(new Set(stylesOf(ARMS).values()).size).toBe(ARMS.length);
  });
});

describe("legendRows()", () => {
  test.each([100, 300, 600, 2000])("has every name, within %d pixels where a name is not wider by itself", (width) => {
    const rows = legendRows(stylesOf(ARMS), width);
    expect(rows.flat().map(({ name }) => name)).toEqual(ARMS);
    for (const row of rows) {
      const last = row.at(-1)!;
      expect(row.length === 1 || last.x + 18 + textWidth(last.name) <= width).toBe(true);
    }
    expect(rows.length).toBe({ 100: 7, 300: 3, 600: 2, 2000: 1 }[width]);
  });
});
