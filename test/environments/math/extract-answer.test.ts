import { describe, expect, it } from "vitest";
import { extractAnswer, type ExtractionOptions } from "../../../environments/math/extract-answer.js";

const ORDINARY = "<think>\n";
const CLOSED = "<think>\n\n</think>\n\n";

function extract(assistantPrefix: string, response: string, options?: ExtractionOptions): string {
  const found = extractAnswer({ assistantPrefix, response }, options);
  return found.answer ?? `!${found.reason}`;
}

describe("extractAnswer()", () => {
  it.each([
    ["an open think block that the response closes", ORDINARY, "\\boxed{3}</think> so \\boxed{4}", "4"],
    ["an open think block that never closes", ORDINARY, "so \\boxed{4}", "!no-think-close"],
    ["a think block that the response opens and closes", "", "<think>\\boxed{3}</think> so \\boxed{4}", "4"],
    ["a think block that the response opens and never closes", "", "<think>\\boxed{4}", "!no-think-close"],
    ["a think block that the prompt closed", CLOSED, "so \\boxed{7}", "7"],
    ["no think block at all", "", "so \\boxed{7}", "7"],
    ["a close without an opening, as templates that open the block leave it", "", "\\boxed{3}</think>\\boxed{4}", "4"],
    ["a second opening written by the policy", ORDINARY, "<think>\n\\boxed{3}</think>\\boxed{4}", "4"],
    ["text behind a second close", ORDINARY, "a</think>\\boxed{4}</think>\\boxed{5}", "4"],
    ["a box in a block that was opened again", ORDINARY, "a</think>b<think>\\boxed{4}</think>c", "!no-box"],
    ["a prompt that closed one block and opened another", `${CLOSED}<think>`, "\\boxed{4}", "!no-think-close"],
    ["an ellipsis prompt closed at once", "<think>\n...\n", "</think>\n\n\\boxed{4}", "4"],
    ["an ellipsis prompt closed with one newline", "<think>\n...\n", "</think>\n\\boxed{4}", "4"],
  ])("finds the answer behind the thinking: %s", (_, prefix, response, answer) => {
    expect(extract(prefix, response)).toBe(answer);
  });

  it("demands a close from every response when thinking is required", () => {
    const required: ExtractionOptions = { mode: "boxed", thinking: "required" };
    expect(extract("", "so \\boxed{7}", required)).toBe("!no-think-close");
    expect(extract("", "a</think>\\boxed{7}", required)).toBe("7");
    expect(extract(CLOSED, "so \\boxed{7}", required)).toBe("7");
  });

  it.each([
    ["\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
    ["\\boxed{41}, no wait, \\boxed{42}", "42"],
    ["\\boxed{\\boxed{5}}", "5"],
    ["\\boxed 5 and more", "5"],
    ["$\\boxed5$.", "5"],
    ["\\fbox{6}", "6"],
    ["\\boxed{1} then \\fbox{2}", "2"],
    ["\\fbox{1} then \\boxed{2}", "2"],
    ["\\boxed{\\{1,2\\}}", "\\{1,2\\}"],
    ["\\boxed{a\\}b}", "a\\}b"],
    ["\\boxed {7}", "7"],
    ["\\boxedtext{8}", "!no-box"],
    ["\\boxed{7} and \\boxedtext{8}", "7"],
    ["The answer is 5.", "!no-box"],
    ["\\boxed{}", "!empty-box"],
    ["\\boxed{ }", "!empty-box"],
    ["\\boxed{1} \\boxed{\\frac{1}{2}", "!unbalanced-braces"],
    ["\\boxed", "!empty-box"],
    ["", "!no-box"],
  ])("reads the last box of %j", (response, answer) => {
    expect(extract("", response)).toBe(answer);
  });

  it.each([
    ["#### 5", "5"],
    ["#### 4\nwait\n#### 1,234\n", "1,234"],
    ["The answer is 5.", "5"],
    ["So the final answer is: $\\frac{1}{2}$, as wanted.", "\\frac{1}{2}"],
    ["**Answer:** 12 dollars", "12 dollars"],
    ["Answer: \\(x = 3.5\\)", "x = 3.5"],
    ["The answer is 3.25 because it is.", "3.25"],
    ["The answer is 5<|im_end|>", "5"],
    ["The answer is 4. But \\boxed{5}", "5"],
    ["Nothing here", "!no-answer-phrase"],
    ["The answer is", "!no-answer-phrase"],
  ])("reads the last phrase of %j when phrases count", (response, answer) => {
    expect(extract("", response, { mode: "boxed-or-phrase", thinking: "by-tags" })).toBe(answer);
  });
});
