import { describe, expect, it } from "vitest";
import { arithmeticVerifier } from "../../../environments/arithmetic/verifier.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const verify = (prefix: string, response: string, reference = "7") =>
  arithmeticVerifier.verify(
    { id: "t", domain: "arithmetic", prompt: [], reference, meta: {} },
    makeTrajectory("x", "t", 0, { prefix, response }),
  );

const OPEN = "<think>\n";
const CLOSED = "<think>\n\n</think>\n\n";

describe("arithmeticVerifier.verify()", () => {
  it.each([
    ["the answer after thinking", OPEN, "3+4=7\n</think>\n\n\\boxed{7}<|im_end|>", "pass", "equal"],
    ["the answer where the prompt closed the block", CLOSED, "3+4=7 \\boxed{7}", "pass", "equal"],
    ["the same response where thinking was due", OPEN, "3+4=7 \\boxed{7}", "fail", "no-think-close"],
    ["a box inside the reasoning alone", OPEN, "\\boxed{7}\n</think>\n\n7", "fail", "no-box"],
    ["the last of two boxes", CLOSED, "\\boxed{3} \\boxed{7}", "pass", "equal"],
    ["another digit", CLOSED, "\\boxed{5}", "fail", "wrong-answer: got 5, want 7"],
    ["a value that was not reduced", CLOSED, "\\boxed{17}", "fail", "wrong-answer: got 17, want 7"],
    ["no box", CLOSED, "7", "fail", "no-box"],
    ["an empty box", CLOSED, "\\boxed{}", "fail", "empty-box"],
    ["an open box", CLOSED, "\\boxed{7", "fail", "unbalanced-braces"],
    ["words in the box", CLOSED, "\\boxed{seven}", "fail", 'unparsable: found "seven"'],
    ["nothing", OPEN, "", "fail", "no-think-close"],
  ])("judges rightly when a response has %s", (_what, prefix, response, kind, reason) => {
    expect(verify(prefix, response)).toMatchObject({
      kind,
      reason,
      score: kind === "pass" ? 1 : 0,
      verifier: "arithmetic",
    });
  });

  it("gives an error that names the task when the reference is no number", () => {
    const verdict = verify(CLOSED, "\\boxed{7}", "seven");
    expect(verdict).toMatchObject({ kind: "error", reason: 'unusable-reference: task "t" has "seven"' });
    expect(verdict).not.toHaveProperty("score");
  });
});
