import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { calculate, lastCall, UNREADABLE } from "../../../environments/calculator/calculate.js";
import calculator from "../../../environments/calculator/index.js";
import { parseProblem, textOf, valueOf } from "../../../environments/calculator/problem.js";
import { environmentUnderTest } from "../../support/open-environment.js";
import { playEpisode, textsOf } from "../../support/play-episode.js";

const { environment, open } = environmentUnderTest(calculator);
const TASK = {
  id: "t",
  domain: "calculator",
  prompt: [],
  reference: "89",
  meta: { problem: "12*7+5" },
} as const;
const play = (...texts: readonly string[]) => playEpisode(environment, environment.config.parse({}), TASK, texts);

describe("calculate()", () => {
  test.each([
    ["2+3", "5"],
    [" -12 * 7 ", "-84"],
    ["5--3", "8"],
    ["999999999999999*999999999999999", "999999999999998000000000000001"],
    ["2+3+4", UNREADABLE],
    ["2/3", UNREADABLE],
    ["2.5+1", UNREADABLE],
    ["", UNREADABLE],
    ["9999999999999999+1", UNREADABLE],
  ])("answers %j with %j", (call, result) => {
    expect(calculate(call)).toBe(result);
  });

  test("is exact, whatever the numbers", () => {
    const whole = fc.integer({ min: -999_999, max: 999_999 });
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        expect(calculate(`${a}+${b}`)).toBe(String(a + b));
        expect(calculate(`${a}-${b}`)).toBe(String(a - b));
        expect(calculate(`${a}*${b}`)).toBe(String(BigInt(a) * BigInt(b)));
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});

describe("lastCall()", () => {
  test.each([
    ["<calc>1+1</calc> or <calc>2+2</calc>", "2+2"],
    ["<calc><calc>1+1</calc>", "1+1"],
    ["<calc>1+1", undefined],
    ["</calc><calc>", undefined],
  ])("of %j is %j", (text, call) => {
    expect(lastCall(text)).toBe(call);
  });
});

describe("calculator", () => {
  test("does one operation a turn, and passes the right answer at the end", async () => {
    const calls = ["</think>\n\n<calc>12*7</calc>", "</think>\n\n<calc>84+5</calc>", "</think>\n\n\\boxed{89}"];
    const { said, isDone, verdict } = await play(...calls);
    expect(said.slice(0, 2)).toEqual([[{ role: "tool", content: "84" }], [{ role: "tool", content: "89" }]]);
    expect(isDone).toBe(true);
    expect(verdict).toMatchObject({ kind: "pass", score: 1, reason: "equal" });
  });

  test.each([
    ["a call inside the thinking", "<calc>1+1</calc>", "no-think-close"],
    ["neither call nor answer", "</think>\n\nhm", "no-box"],
  ])("says what it wants to %s, and goes on", async (_what, text, reason) => {
    const { said, isDone, verdict } = await play(text);
    expect(said).toEqual([[{ role: "tool", content: UNREADABLE }]]);
    expect(isDone).toBe(false);
    expect(verdict).toMatchObject({ kind: "fail", score: 0, reason });
  });

  test("reads the answer of the last turn alone", async () => {
    const unfinished = await play("</think>\n\n<calc>12*7</calc>", "</think>\n\n<calc>84+5</calc>");
    expect(unfinished.verdict).toMatchObject({ kind: "fail", reason: "no-box" });
    const wrong = await play("</think>\n\n\\boxed{88}");
    expect(wrong.verdict).toMatchObject({ kind: "fail", reason: "wrong-answer: got 88, want 89" });
    const text = await play("</think>\n\n\\boxed{about 89}");
    expect(text.verdict.reason).toMatch(/^unparsable/);
  });

  test("draws problems of the wanted number of operations, with the value from left to right", async () => {
    const { taskset } = await open({ minDifficulty: 3, maxDifficulty: 3, maxOperand: 99 });
    for (let index = 0; index < 200; index++) {
      const task = taskset.at(index);
      const problem = parseProblem(String(task.meta["problem"]))!;
      expect(problem.rest).toHaveLength(3);
      expect(textOf(problem)).toBe(task.meta["problem"]);
      expect(String(valueOf(problem))).toBe(task.reference);
      expect(task.prompt[0]?.content.startsWith(`${textOf(problem)} from left to right.`)).toBe(true);
    }
  });

  test.each([0, 1])(
    "teaches what the environment answers, right at an error rate of 0 and wrong at 1: %d",
    async (errorRate) => {
      const { config, taskset, teacher } = await open({ teacher: { errorRate } });
      for (let index = 0; index < 200; index++) {
        const task = taskset.at(index);
        const demonstration = teacher.demonstrate(task, new Random(deriveKey(3, index)));
        const { said, isDone, verdict } = await playEpisode(environment, config, task, textsOf(demonstration));
        expect(isDone).toBe(true);
        expect(said.slice(0, -1)).toEqual(demonstration.turns?.map(({ messages }) => messages));
        expect(verdict.kind, textsOf(demonstration).join("|")).toBe(errorRate === 0 ? "pass" : "fail");
      }
    },
  );

  test("teaches nothing but its own tasks, and calls a reference that it cannot read an error", async () => {
    const { config, teacher } = await open();
    const foreign = { ...TASK, reference: "x", meta: {} };
    expect(() => teacher.demonstrate(foreign, new Random(deriveKey(1)))).toThrow(
      expect.objectContaining({ code: "TASK_OF_ANOTHER_ENVIRONMENT" }),
    );
    const { verdict } = await playEpisode(environment, config, foreign, ["</think>\\boxed{1}"]);
    expect(verdict).toMatchObject({ kind: "error", reason: 'unusable-reference: task "t" has "x"' });
  });
});
