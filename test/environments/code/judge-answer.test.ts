import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Judge, ServedAnswer } from "../../../core/src/environments/judge.js";
import type { JsonValue } from "../../../core/src/records/json.js";
import { codeJudge } from "../../../environments/code/judge.js";
import { strongSandbox } from "../../support/strong-sandbox.js";

afterAll(() => strongSandbox?.close());

const tests = { mode: "stdin", tests: [{ input: "1", output: "2" }] };
const answer = (response: string, groundTruth: JsonValue, assistantPrefix = ""): ServedAnswer => ({
  sampleId: "a",
  prompt: [],
  assistantPrefix,
  response,
  groundTruth,
  meta: {},
});
const fenced = (program: string, word = "python"): string => `So:\n\`\`\`${word}\n${program}\n\`\`\`\n`;

describe.skipIf(strongSandbox === undefined)("codeJudge.judgeAnswer()", () => {
  let judge: Judge;
  beforeAll(async () => void (judge = await codeJudge.open()));
  afterAll(() => judge.close());
  const verdictOn = async (one: ServedAnswer) => judge.judgeAnswer?.(one);

  it("runs the last fenced block of the response on the tests of the ground truth, an object or its text", async () => {
    const right = fenced("print(int(input()) + 1)");
    expect(await verdictOn(answer(right, tests))).toMatchObject({ kind: "pass", score: 1 });
    expect(await verdictOn(answer(right, JSON.stringify(tests)))).toMatchObject({ kind: "pass", score: 1 });
    expect(await verdictOn(answer(`${right}${fenced("print(3)")}`, tests))).toMatchObject({
      kind: "fail",
      score: 0,
      reason: expect.stringContaining("wrong-answer"),
    });
    const javascript = { ...tests, language: "javascript" };
    const program = fenced('console.log(Number(require("fs").readFileSync(0, "utf8")) + 1)', "js");
    expect(await verdictOn(answer(program, javascript))).toMatchObject({ kind: "pass" });
  });

  it("fails a response without a program, and reads the think block that the prompt opened", async () => {
    expect(await verdictOn(answer("print(2)", tests))).toMatchObject({ kind: "fail", reason: "no-code-block" });
    const unclosed = answer(fenced("print(int(input()) + 1)"), tests, "<think>\n");
    expect(await verdictOn(unclosed)).toMatchObject({ kind: "fail", reason: "no-think-close" });
  });

  it.each([
    ["no JSON", "ground_truth: a case without its program is wanted"],
    [null, "ground_truth: a case without its program is wanted"],
    [{ mode: "stdin" }, "ground_truth.tests: "],
    [{ ...tests, tests: [{ input: 1, output: "2" }] }, "ground_truth.tests.0.input: "],
  ])("gives an error without a score when the ground truth is %j", async (groundTruth, problem) => {
    const verdict = await verdictOn(answer(fenced("print(2)"), groundTruth));
    expect(verdict).toMatchObject({ kind: "error", reason: expect.stringContaining(`case-not-valid: ${problem}`) });
    expect(verdict).not.toHaveProperty("score");
  });
});
