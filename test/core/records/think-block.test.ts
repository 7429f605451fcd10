import { describe, expect, test } from "vitest";
import { hasThought, splitThinking } from "../../../core/src/records/think-block.js";

const OPENED = "<|im_start|>assistant\n<think>\n";
const CLOSED = "<|im_start|>assistant\n<think>\n\n</think>\n\n";
const BARE = "<|im_start|>assistant\n";

describe("splitThinking()", () => {
  test.each([
    ["opened by the prefix", OPENED, "a b\n</think>\n\nc", { thinking: "a b\n", answer: "\n\nc" }],
    ["opened by the prefix and never closed", OPENED, "a b", { thinking: "a b", answer: undefined }],
    ["opened by the prefix and closed at once", OPENED, "</think>c", { thinking: "", answer: "c" }],
    ["closed by the prefix", CLOSED, "c", { thinking: "", answer: "c" }],
    [
      "closed by the prefix, opened again in the answer",
      CLOSED,
      "c <think>d</think>",
      { thinking: "", answer: "c <think>d</think>" },
    ],
    ["opened by the response", BARE, "x<think>a</think>c", { thinking: "a", answer: "c" }],
    ["opened by the response and never closed", BARE, "<think>a", { thinking: "a", answer: undefined }],
    ["nowhere", BARE, "just c", { thinking: "", answer: "just c" }],
    ["closed twice", OPENED, "a</think>c</think>d", { thinking: "a", answer: "c</think>d" }],
    ["with an empty response", OPENED, "", { thinking: "", answer: undefined }],
  ])("%s", (_, assistantPrefix, responseText, wanted) => {
    expect(splitThinking({ assistantPrefix, responseText })).toEqual(wanted);
  });
});

describe("hasThought()", () => {
  test.each([
    [OPENED, "a</think>c", true],
    [OPENED, "a cut thought", true],
    [OPENED, " \n</think>c", false],
    [CLOSED, "c", false],
    [BARE, "c", false],
  ])("of %j and %j is %j", (assistantPrefix, responseText, wanted) => {
    expect(hasThought({ assistantPrefix, responseText })).toBe(wanted);
  });
});
