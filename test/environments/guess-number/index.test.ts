import { describe, expect, test } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import guessNumber from "../../../environments/guess-number/index.js";
import { parseProblem, textOf } from "../../../environments/guess-number/problem.js";
import { environmentUnderTest } from "../../support/open-environment.js";
import { playEpisode, textsOf } from "../../support/play-episode.js";

const { environment, open } = environmentUnderTest(guessNumber);
const TASK = {
  id: "t",
  domain: "guess-number",
  prompt: [],
  reference: "44",
  meta: { problem: "37..51 in 4: 44" },
} as const;
const guess = (answer: string): string => `</think>\n\n\\boxed{${answer}}`;
const play = (...answers: readonly string[]) =>
  playEpisode(environment, environment.config.parse({}), TASK, answers.map(guess));

describe("guess-number", () => {
  test("says higher and lower, and passes a number that is found", async () => {
    const { said, isDone, verdict } = await play("40", "50", "44");
    expect(said.flat().map(({ role, content }) => `${role}: ${content}`)).toEqual(["user: higher", "user: lower"]);
    expect(isDone).toBe(true);
    expect(verdict).toMatchObject({ kind: "pass", score: 1, reason: "found", parts: { guesses: 3 } });
  });

  test("fails when the guesses are used up, and counts what is no number among them", async () => {
    const { said, isDone, verdict } = await play("1", "soon", "1e2", "45", "44");
    expect(said.flat().map(({ content }) => content)).toEqual(["higher", "box a whole number", "box a whole number"]);
    expect(isDone).toBe(true);
    expect(verdict).toMatchObject({ kind: "fail", score: 0, reason: "out-of-guesses: the number was 44" });
  });

  test("fails an episode that a budget ended", async () => {
    expect((await play("40")).verdict).toMatchObject({ kind: "fail", reason: "unfinished: stopped by stop" });
  });

  test.each([{}, { problem: 3 }, { problem: "9..3 in 2: 5" }, { problem: "1..3 in 2: 5" }])(
    "calls a task that hides no number an error: %j",
    async (meta) => {
      const { verdict } = await playEpisode(environment, {}, { ...TASK, meta }, [guess("1")]);
      expect(verdict).toMatchObject({ kind: "error", reason: 'unusable-reference: task "t" hides no number' });
    },
  );

  test("hides each number of a range, with guesses for one who halves", async () => {
    const { taskset } = await open({ minDifficulty: 2, maxDifficulty: 2, maxStart: 5 });
    const places = new Set<number>();
    for (let index = 0; index < 200; index++) {
      const task = taskset.at(index);
      const problem = parseProblem(String(task.meta["problem"]))!;
      expect(problem).toMatchObject({ guesses: 3, high: problem.low + 6 });
      expect(textOf(problem)).toBe(task.meta["problem"]);
      places.add(problem.secret - problem.low);
    }
    expect([...places].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test.each([0, 1])(
    "teaches what the environment answers, right at an error rate of 0 and wrong at 1: %d",
    async (errorRate) => {
      const { config, taskset, teacher } = await open({ maxDifficulty: 9, teacher: { errorRate } });
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

  test("teaches nothing but its own tasks", async () => {
    const { teacher } = await open();
    expect(() => teacher.demonstrate({ ...TASK, meta: {} }, new Random(deriveKey(1)))).toThrow(
      expect.objectContaining({ code: "TASK_OF_ANOTHER_ENVIRONMENT" }),
    );
  });
});
