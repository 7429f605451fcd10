import { describe, expect, it } from "vitest";
import { mismatchWarning } from "../../../core/src/learn/mismatch-warning.js";

describe("mismatchWarning()", () => {
  it.each([0, 1e-7, 9.9e-6])("says nothing when the largest difference is %d nats", (largest) => {
    expect(mismatchWarning(largest)).toBeUndefined();
  });

  it("names the difference when a ratio is off by more than 1e-5, and when there is no number at all", () => {
    expect(mismatchWarning(1.1e-5)).toContain("by up to 0.0000110 nats");
    expect(mismatchWarning(0.31415)).toContain("by up to 0.314 nats");
    expect(mismatchWarning(NaN)).toContain("NaN nats");
  });
});
