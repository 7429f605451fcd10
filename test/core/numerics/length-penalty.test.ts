import { describe, expect, it } from "vitest";
import { overlongPenalty } from "../../../core/src/numerics/length-penalty.js";

describe("overlongPenalty()", () => {
  // O2
  it.each([
    [100, 0],
    [16_384, 0],
    [17_408, -0.25],
    [18_432, -0.5],
    [20_480, -1],
    [20_481, -1],
    [99_999, -1],
  ])("gives for %d tokens %d when the cap is 20480 and the buffer 4096", (length, penalty) => {
    expect(overlongPenalty(length, 20_480, 4_096)).toBe(penalty);
  });

  it("is a step at the cap when the buffer is 0", () => {
    expect([10, 11].map((length) => overlongPenalty(length, 10, 0))).toEqual([0, -1]);
  });
});
