import { describe, expect, it } from "vitest";
import arithmetic from "../../../environments/arithmetic/index.js";
import { valueOf, parseProblem } from "../../../environments/arithmetic/problem.js";
import { arithmeticTaskset } from "../../../environments/arithmetic/taskset.js";
import { splitOf } from "../../../environments/procedural/graded-taskset.js";

const settings = (changes: object = {}) => arithmetic.config.parse(changes);
const trainTaskset = (config: ReturnType<typeof settings>, seed: number) => arithmeticTaskset(config, "train", seed);
const evalTaskset = (config: ReturnType<typeof settings>) => arithmeticTaskset(config, "eval", 0);
const problemsOf = (taskset: ReturnType<typeof arithmeticTaskset>, count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(taskset.at(index).meta["problem"]));

describe("valueOf()", () => {
  it.each([
    ["3+4-9+5", 10, 3],
    ["0-9", 10, 1],
    ["2+3*4", 10, 0],
    ["6*6", 7, 1],
  ])("works %s from left to right modulo %i when it is read", (text, modulus, value) => {
    expect(valueOf(parseProblem(text)!, modulus)).toBe(value);
  });

  it.each(["", "3", "3+", "+3", "13+4", "3/4", "3+4 "])("has nothing to work on when the text is %j", (text) => {
    expect(parseProblem(text)).toBeUndefined();
  });
});

describe("arithmeticTaskset() of the train split", () => {
  it("gives a task by seed and index alone when asked in any order", () => {
    const [a, b] = [trainTaskset(settings(), 7), trainTaskset(settings(), 7)];
    expect([5, 0, 1_000_000].map((index) => a.at(index))).toEqual([5, 0, 1_000_000].map((index) => b.at(index)));
    expect(problemsOf(trainTaskset(settings(), 8), 20)).not.toEqual(problemsOf(a, 20));
    expect(a.size).toBe(Infinity);
    expect(trainTaskset(settings({ trainTasks: 30 }), 7).size).toBe(30);
  });

  it("states problem, answer and difficulty when a task is made", () => {
    const task = trainTaskset(settings({ minSteps: 3, maxSteps: 3, modulus: 5 }), 1).at(0);
    const problem = String(task.meta["problem"]);
    expect(task.prompt).toEqual([{ role: "user", content: `${problem} mod 5` }]);
    expect(task).toMatchObject({ id: "train/0", domain: "arithmetic", meta: { difficulty: 3 } });
    expect(task.reference).toBe(String(valueOf(parseProblem(problem)!, 5)));
    expect(problem).toMatch(/^[0-4]([-+][0-4]){3}$/);
  });

  it("draws difficulties by their weights when some are given", () => {
    const taskset = trainTaskset(settings({ minSteps: 1, maxSteps: 3, weights: [1, 0, 3] }), 1);
    const difficulties = Array.from({ length: 2000 }, (_, index) => taskset.at(index).meta["difficulty"]);
    expect(difficulties.filter((difficulty) => difficulty === 2)).toEqual([]);
    expect(difficulties.filter((difficulty) => difficulty === 3).length / 2000).toBeCloseTo(0.75, 1);
  });
});

describe("arithmeticTaskset() of the eval split", () => {
  it("draws difficulties by weights of its own when it has some", () => {
    const own = settings({ minSteps: 1, maxSteps: 2, weights: [1, 0], evalWeights: [0, 1] });
    const difficulties = (taskset: ReturnType<typeof arithmeticTaskset>) =>
      Array.from({ length: 20 }, (_, i) => taskset.at(i).meta["difficulty"]);
    expect(new Set(difficulties(evalTaskset(own)))).toEqual(new Set([2]));
    expect(new Set(difficulties(trainTaskset(own, 1)))).toEqual(new Set([1]));
  });

  it("shares no problem with any train split when seeds and difficulties differ", () => {
    const taskset = evalTaskset(settings());
    const held = new Set(problemsOf(taskset, taskset.size));
    for (const seed of [0, 1, 2]) {
      for (const maxSteps of [1, 2, 5]) {
        const train = problemsOf(trainTaskset(settings({ maxSteps }), seed), 500);
        expect(train.filter((problem) => held.has(problem))).toEqual([]);
      }
    }
  });

  it("holds distinct problems of the eval split, about a fifth of all, whatever the seed of the run", async () => {
    const [a, b] = await Promise.all(
      [1, 2].map((seed) => arithmetic.taskset(settings(), "eval", { baseDirectory: ".", seed })),
    );
    const problems = problemsOf(a!, a!.size);
    expect(problemsOf(b!, b!.size)).toEqual(problems);
    expect(new Set(problems).size).toBe(problems.length);
    expect(problems.every((problem) => splitOf("arithmetic", problem, 0.2) === "eval")).toBe(true);
    const all = Array.from({ length: 10 }, (_, a0) =>
      Array.from({ length: 10 }, (_, b0) => [`${a0}+${b0}`, `${a0}-${b0}`]),
    ).flat(2);
    const share = all.filter((problem) => splitOf("arithmetic", problem, 0.2) === "eval").length / all.length;
    expect(share).toBeGreaterThan(0.12);
    expect(share).toBeLessThan(0.28);
  });

  it("has every single step that is held out when problems have one step", () => {
    const taskset = evalTaskset(settings({ maxSteps: 1, evalTasks: 500 }));
    const all = Array.from({ length: 10 }, (_, a) =>
      Array.from({ length: 10 }, (_, b) => [`${a}+${b}`, `${a}-${b}`]),
    ).flat(2);
    expect(problemsOf(taskset, taskset.size).toSorted()).toEqual(
      all.filter((problem) => splitOf("arithmetic", problem, 0.2) === "eval").toSorted(),
    );
  });

  it("mixes difficulties from the beginning when it is read in order", () => {
    const taskset = evalTaskset(settings());
    const first = Array.from({ length: 100 }, (_, index) => taskset.at(index).meta["difficulty"]);
    for (const difficulty of [1, 2, 3, 4, 5])
      expect(first.filter((one) => one === difficulty).length).toBeGreaterThan(8);
  });

  it("throws PROBLEMS_USED_UP when no problem is held out", () => {
    const none = settings({ maxSteps: 1, modulus: 2, operations: ["+"], heldOut: 0.0001 });
    expect(() => evalTaskset(none)).toThrow(expect.objectContaining({ code: "PROBLEMS_USED_UP" }));
  });
});

describe("arithmetic.config", () => {
  it("names what does not fit when steps, weights or styles contradict each other", () => {
    const messages = (changes: object) =>
      arithmetic.config.safeParse(changes).error?.issues.map((issue) => issue.message);
    expect(messages({ minSteps: 3, maxSteps: 2 })).toContain("must be at least minSteps");
    expect(messages({ weights: [1, 1] })).toEqual([
      "must have one weight for each number of operations from minSteps to maxSteps",
    ]);
    expect(messages({ maxSteps: 1, weights: [0] })).toEqual(["must have a weight above 0"]);
    expect(messages({ maxSteps: 1, evalWeights: [0] })).toEqual(["must have a weight above 0"]);
    expect(messages({ teacher: { errorRate: [0.1] } })).toEqual([
      "must be one number, or have one for each number of operations from minSteps to maxSteps",
    ]);
    const styles = { think: 0, thinkfree: 0, "ellipsis-think": 0, "ellipsis-direct": 0 };
    expect(messages({ teacher: { styles } })).toEqual(["at least one style has a weight above 0"]);
  });
});
