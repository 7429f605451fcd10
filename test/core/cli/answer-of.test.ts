import { describe, expect, it } from "vitest";
import { answerOf } from "../../../core/cli/render/answer-of.js";
import { displayWidth } from "../../../core/cli/render/printable.js";

const VERDICT = { kind: "fail", score: 0, reason: "wrong-answer", verifier: "v", version: "1", ms: 0 } as const;
const one = (response: string, parts?: { answer: string }) => ({
  turns: [],
  assistantPrefix: "<think>\n",
  response,
  verdict: { ...VERDICT, ...(parts ? { parts } : {}) },
});
const turn = (role: "policy" | "environment", text: string) => ({ role, text, start: 0, end: 1 });

describe("answerOf()", () => {
  it("gives what the verifier extracted, however far from the end it stood", () => {
    const response =
      "3+4=7\n</think>\n\n\\boxed{7} and then a great deal more was said than anybody asked for<|im_end|>";
    expect(answerOf(one(response, { answer: "7" }), 40)).toBe("7");
  });

  it("gives the end of what follows the thinking when nothing was extracted, and nothing when it never ended", () => {
    expect(answerOf(one("3+4=7\n</think>\n\nIt is\n7.<|im_end|>\n"), 40)).toBe("It is ⏎ 7.");
    expect(answerOf(one(`</think>${"word ".repeat(20)}last`), 12)).toBe("…d word last");
    expect(answerOf(one("3+4=7 and on and on"), 40)).toBe("");
  });

  it("gives the last thing that the policy said in an episode, without its thinking", () => {
    const turns = [
      turn("policy", "first\n</think>\n\n\\boxed{4}"),
      turn("environment", "higher"),
      turn("policy", "Higher, so 6.\n</think>\n\n\\boxed{6}"),
      turn("environment", "lower, and no guesses left"),
    ];
    expect(answerOf({ ...one("the whole text"), turns }, 40)).toBe("\\boxed{6}");
  });

  it("stays within its width when characters take two columns", () => {
    const answer = answerOf(one(`</think>${"答案是".repeat(20)}`), 15);
    expect(displayWidth(answer)).toBeLessThanOrEqual(15);
    expect(answer).toMatch(/^….*是$/u);
  });
});
