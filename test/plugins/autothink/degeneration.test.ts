import { describe, expect, it } from "vitest";
import { isDegenerate } from "../../../plugins/autothink/degeneration.js";

describe("isDegenerate()", () => {
  it.each([
    ["ten equal words in a row", "so ".repeat(10), true],
    ["nine equal words in a row", "so ".repeat(9), false],
    ["ten equal chunks of three words", "let me see ".repeat(10), true],
    ["ten equal words apart", "so it is not so ".repeat(2), false],
    ["equal chunks after a shift of their length", `one two ${"a b ".repeat(10)}`, true],
    ["a word of 120 characters", `ok ${"7".repeat(120)}`, true],
    ["a word of 119 characters", `ok ${"7".repeat(119)}`, false],
    ["nothing", "", false],
  ])("decides rightly when the text has %s", (_what, text, wanted) => {
    expect(isDegenerate(text)).toBe(wanted);
  });
});
