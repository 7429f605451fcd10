import { describe, expect, test } from "vitest";
import type { Task } from "../../../core/src/records/task.js";
import { canBeBoxed, matches, predictionOf } from "../../../environments/corpus/prediction.js";
import { corpusVerifier } from "../../../environments/corpus/verifier.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const CONTINUATION = Buffer.from(" time and time again");
const ENDS = [5, 9, 14, 20];

describe("matches()", () => {
  // Worked cases of the RMT specification, R5.
  test.each([
    [" time", 1, 1],
    [" time and", 1, 0],
    ["time", 0, 0],
    [" tim", 0, 0],
    [" time ", 0, 0],
    ["", 0, 0],
  ])("takes %j for prefix %d and exact %d, byte for byte", (prediction, prefix, exact) => {
    expect(matches(prediction, CONTINUATION, ENDS)).toEqual({ prefix, exact });
  });

  test("counts bytes, not characters", () => {
    expect(matches("é", Buffer.from("é!"), [2, 3])).toEqual({ exact: 1, prefix: 1 });
    expect(matches("é!", Buffer.from("é!"), [2, 3])).toEqual({ exact: 0, prefix: 1 });
    expect(matches("e\u0301", Buffer.from("é!"), [2, 3])).toEqual({ exact: 0, prefix: 0 });
  });
});

describe("predictionOf()", () => {
  const of = (responseText: string, assistantPrefix = "<think>\n") => predictionOf({ responseText, assistantPrefix });

  test("takes the last box after the thinking, verbatim, and none inside it", () => {
    expect(of("\\boxed{no}\n</think>\n\n\\boxed{first} \\boxed{ time}")).toEqual({ text: " time" });
    expect(of("</think>\n\n\\boxed{\n}")).toEqual({ text: "\n" });
    expect(of("</think>\n\n\\boxed{\\{x}}")).toEqual({ text: "\\{x" });
    expect(of("\\boxed{no}\n</think>\n\n")).toEqual({ text: undefined, reason: "no-box" });
    expect(of("\\boxed{no}")).toEqual({ text: undefined, reason: "no-think-close" });
    expect(of("</think>\n\n\\boxed{{x}")).toEqual({ text: undefined, reason: "unbalanced-braces" });
    expect(of("\\boxed{direct}", "")).toEqual({ text: "direct" });
  });
});

describe("canBeBoxed()", () => {
  test.each([
    [" time", true],
    ["{x}", true],
    ["\\{", true],
    ["}", false],
    [" {", false],
    ["\\", false],
  ])("says of %j: %s", (text, answer) => {
    expect(canBeBoxed(text)).toBe(answer);
    if (answer) expect(predictionOf({ assistantPrefix: "", responseText: `\\boxed{${text}}` })).toEqual({ text });
  });
});

describe("corpusVerifier()", () => {
  const text = "Time again: time and time again";
  const start = text.indexOf(" time and");
  const task: Task = {
    id: "t",
    domain: "corpus",
    prompt: [],
    reference: " time",
    meta: { place: { text, start, end: start + 5 }, ends: ENDS },
  };
  const verdict = (match: "exact" | "prefix", box: string) =>
    corpusVerifier(match).verify(task, makeTrajectory("a", "t", 0, { response: `hm</think>\n\n\\boxed{${box}}` }));

  test("passes by the reward that it is named after, and finds both", () => {
    expect(verdict("exact", " time")).toMatchObject({
      kind: "pass",
      score: 1,
      reason: "exact",
      verifier: "next-token-exact",
    });
    expect(verdict("exact", " time and")).toMatchObject({
      kind: "fail",
      score: 0,
      reason: 'wrong-token: got " time and", want " time"',
      parts: { prediction: " time and", exact: 0, prefix: 1 },
    });
    expect(verdict("prefix", " time and")).toMatchObject({ kind: "pass", verifier: "next-token-prefix" });
    expect(verdict("prefix", " time ")).toMatchObject({ kind: "fail", parts: { exact: 0, prefix: 0 } });
    expect(verdict("exact", "")).toMatchObject({ kind: "fail", reason: "empty-box" });
  });

  test("judges no task that stands in no text", () => {
    const found = corpusVerifier("exact").verify({ ...task, meta: {} }, makeTrajectory("a", "t", 0, {}));
    expect(found).toMatchObject({ kind: "error", reason: 'unusable-reference: task "t" stands in no text' });
  });
});
