import { describe, expect, it } from "vitest";
import { efficiencyF1 } from "../../../plugins/autothink/efficiency-f1.js";

const standard = { accuracy: 48.6, tokens: 10633 };
const noThinking = { accuracy: 37.5, tokens: 2528 };

describe("efficiencyF1()", () => {
  it("gives 0.396227 when accuracy is 51.7 at 5108 tokens", () => {
    expect(efficiencyF1({ accuracy: 51.7, tokens: 5108 }, standard, noThinking)).toBeCloseTo(0.396227, 6);
  });

  it("gives 0 when accuracy is below the standard prompt's or tokens are above", () => {
    expect(efficiencyF1({ accuracy: 48.5, tokens: 5108 }, standard, noThinking)).toBe(0);
    expect(efficiencyF1({ accuracy: 51.7, tokens: 10634 }, standard, noThinking)).toBe(0);
  });
});
