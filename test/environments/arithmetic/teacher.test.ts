import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import type { Demonstration } from "../../../core/src/environments/environment.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import arithmetic from "../../../environments/arithmetic/index.js";
import { arithmeticTaskset } from "../../../environments/arithmetic/taskset.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const COUNT = 4000;
const TINY = fileURLToPath(new URL("../../../examples/policies/tiny", import.meta.url));
const NONE = { think: 0, thinkfree: 0, "ellipsis-think": 0, "ellipsis-direct": 0 };

/** Demonstrations of five-step problems, with the verdict on each. */
function demonstrate(teacherSettings: object, count = COUNT) {
  const config = arithmetic.config.parse({ minSteps: 5, maxSteps: 5, teacher: teacherSettings });
  const teacher = arithmetic.teacher!(config);
  const verifier = arithmetic.verifier(config);
  const tasks = arithmeticTaskset(config, "train", 1);
  return Array.from({ length: count }, (_, index) => {
    const task = tasks.at(index);
    const demonstration = teacher.demonstrate(task, new Random(deriveKey(1, "teach", index)));
    const trajectory = makeTrajectory("t", task.id, 0, {
      prefix: demonstration.prefix,
      response: demonstration.response,
    });
    return { task, demonstration, verdict: verifier.verify(task, trajectory) };
  });
}

/** Of all steps that a response writes for the first time, the share with a wrong result. */
function errorRate(demonstrations: readonly Demonstration[]): number {
  const steps = demonstrations.flatMap(({ response }) => [
    ...response.replace(/check .* ok/g, "").matchAll(/(\d)([-+])(\d)=(\d)/g),
  ]);
  const wrong = steps.filter(
    ([, a, operation, b, c]) => (Number(a) + (operation === "+" ? 1 : -1) * Number(b) + 10) % 10 !== Number(c),
  );
  expect(steps).toHaveLength(5 * demonstrations.length);
  return wrong.length / steps.length;
}

const accuracy = (samples: ReturnType<typeof demonstrate>): number => {
  expect(
    samples.filter(
      ({ verdict }) => !("kind" in verdict) || (verdict.kind !== "pass" && !verdict.reason.startsWith("wrong-answer")),
    ),
  ).toEqual([]);
  return samples.filter(({ verdict }) => "kind" in verdict && verdict.kind === "pass").length / samples.length;
};
/** Chance that a chain of five steps ends right when each errs at this rate; two mistakes may cancel. */
const rightAt = (rate: number): number => 0.1 + 0.9 * (1 - (10 / 9) * rate) ** 5;

describe("arithmetic teacher", () => {
  it.each([
    ["think", "<think>\n", 0.12],
    ["ellipsis-think", "<think>\n...\n", 0.12],
    ["thinkfree", "<think>\n\n</think>\n\n", 0.2],
  ])("errs at its rate and carries mistakes on when it writes in style %s", (style, prefix, rate) => {
    const samples = demonstrate({ styles: { ...NONE, [style]: 1 } });
    expect(samples.every(({ demonstration }) => demonstration.prefix === prefix)).toBe(true);
    expect(errorRate(samples.map(({ demonstration }) => demonstration))).toBeCloseTo(rate, 1.7);
    expect(accuracy(samples)).toBeCloseTo(rightAt(rate), 1.5);
  });

  it("is wrong at its rate when it answers directly", () => {
    const samples = demonstrate({ styles: { ...NONE, "ellipsis-direct": 1 }, directErrorRate: 0.3 });
    expect(samples[0]!.demonstration.response).toMatch(/^<\/think>\n\n\\boxed\{\d\}$/);
    expect(accuracy(samples)).toBeCloseTo(0.7, 1.5);
  });

  it("is always right when its error rates are 0", () => {
    const samples = demonstrate({ errorRate: 0, shortErrorRate: 0, directErrorRate: 0 }, 400);
    expect(accuracy(samples)).toBe(1);
  });

  it.each([
    ["3+4", 0],
    ["3+4-9", 0.5],
  ])("errs at the rate for the number of operations in %s when it has one for each", (problem, rate) => {
    const settings = { maxSteps: 2, teacher: { styles: { ...NONE, think: 1 }, errorRate: [0, 0.5] } };
    const teacher = arithmetic.teacher!(arithmetic.config.parse(settings));
    const task = { id: "t", domain: "arithmetic", prompt: [], reference: "", meta: { problem } };
    const wrong = Array.from({ length: COUNT }, (_, index) =>
      teacher.demonstrate(task, new Random(deriveKey(2, index))),
    ).filter(({ response }) => !response.startsWith("3+4=7\n"));
    expect(wrong.length / COUNT).toBeCloseTo(rate, 1.5);
  });

  it("writes steps, checks and the answer in the known form when it thinks long", () => {
    const config = arithmetic.config.parse({ teacher: { styles: { ...NONE, think: 1 }, repeat: 1, errorRate: 0 } });
    const task = { id: "t", domain: "arithmetic", prompt: [], reference: "8", meta: { problem: "3+4-9" } };
    const { response } = arithmetic.teacher!(config).demonstrate(task, new Random(deriveKey(1)));
    expect(response).toBe("3+4=7\ncheck 3+4=7 ok\n7-9=8\ncheck 7-9=8 ok\n</think>\n\n\\boxed{8}");
  });

  it("chooses styles by their weights when several have one", () => {
    const samples = demonstrate({ styles: { ...NONE, think: 3, thinkfree: 1 } });
    const think = samples.filter(({ demonstration }) => demonstration.prefix === "<think>\n").length;
    expect(think / COUNT).toBeCloseTo(0.75, 1.5);
  });

  it("takes about 80 tokens with thinking and 35 without when problems have five steps", () => {
    const tokenizer = Tokenizer.fromDirectory(TINY);
    const meanTokens = (style: string): number => {
      const lengths = demonstrate({ styles: { ...NONE, [style]: 1 } }, 400).map(
        ({ demonstration }) => tokenizer.encode(demonstration.response).length,
      );
      return lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    };
    expect(Math.abs(meanTokens("think") - 80)).toBeLessThan(5);
    expect(Math.abs(meanTokens("thinkfree") - 35)).toBeLessThan(3);
  });

  it("throws NOT_ARITHMETIC when a task is of another environment", () => {
    const teacher = arithmetic.teacher!(arithmetic.config.parse({}));
    const task = { id: "gsm8k/1", domain: "math", prompt: [], reference: "4", meta: {} };
    expect(() => teacher.demonstrate(task, new Random(deriveKey(1)))).toThrow(
      expect.objectContaining({ code: "NOT_ARITHMETIC" }),
    );
  });
});
