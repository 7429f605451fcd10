import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { loadEnvironment } from "../../../core/src/environments/environment-loader.js";
import type { EnvironmentDefinition, Split } from "../../../core/src/environments/environment.js";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import type { Task } from "../../../core/src/records/task.js";
import { VERDICT_KINDS } from "../../../core/src/records/verdict.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";
import { FAMILIES } from "./families.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TINY = fileURLToPath(new URL("../../../examples/policies/tiny", import.meta.url));
const FAST_CHECK = { seed: 5, numRuns: 300 };

const open = async (environment: EnvironmentDefinition, split: Split, settings: object = {}, seed = 1) => {
  const config = environment.config.parse(settings);
  const taskset = await environment.taskset(config, split, { baseDirectory: ".", seed });
  const verifier = environment.verifier(config);
  const verify = (task: Task, response: string, prefix = "<think>\n") => {
    const verdict = verifier.verify(task, makeTrajectory("t", task.id, 0, { prefix, response }));
    if ("then" in verdict) throw new Error("these verifiers answer at once");
    return verdict;
  };
  return { taskset, verify, teacher: environment.teacher!(config) };
};
const boxed = (answer: string): string => `</think>\n\n\\boxed{${answer}}`;

describe.each(FAMILIES.map(({ environment, highest }) => [environment.name, environment, highest] as const))(
  "%s",
  (name, environment, highest) => {
    it("gives tasks, verifier and teacher when a run loads it by name", async () => {
      const { definition, config } = await loadEnvironment(name, { maxDifficulty: 2 }, ROOT);
      const taskset = await definition.taskset(config, "eval", { baseDirectory: ROOT, seed: 1 });
      expect(taskset.at(0)).toMatchObject({ id: "eval/0", domain: name });
      expect(definition.verifier(config).name).toBe(name);
    });

    it("gives the same task by seed and index when asked again, in any order", async () => {
      const [a, b, other] = await Promise.all([1, 1, 2].map((seed) => open(environment, "train", {}, seed)));
      const indices = [7, 0, 123_456_789, 7];
      expect(indices.map((index) => a!.taskset.at(index))).toEqual(
        indices
          .toReversed()
          .map((index) => b!.taskset.at(index))
          .toReversed(),
      );
      const first = ({ taskset }: Awaited<ReturnType<typeof open>>) =>
        Array.from({ length: 10 }, (_, index) => taskset.at(index).prompt[0]!.content);
      expect(first(other!)).not.toEqual(first(a!));
      expect(a!.taskset.size).toBe(Infinity);
    });

    it("shares no problem between the splits, whatever the seed, and holds distinct ones out", async () => {
      const settings = { evalTasks: 100 };
      const held = (await open(environment, "eval", settings)).taskset;
      const problems = Array.from({ length: held.size }, (_, index) => held.at(index).prompt[0]!.content);
      expect(new Set(problems).size).toBe(held.size);
      expect((await open(environment, "eval", settings, 9)).taskset.at(3)).toEqual(held.at(3));
      for (const seed of [0, 1]) {
        const { taskset } = await open(environment, "train", { ...settings, maxDifficulty: 2 }, seed);
        const train = Array.from({ length: 200 }, (_, index) => taskset.at(index).prompt[0]!.content);
        expect(train.filter((problem) => problems.includes(problem))).toEqual([]);
      }
    });

    it("draws every difficulty up to the highest, and only those that have weight", async () => {
      for (const difficulty of [1, 2, highest]) {
        const { taskset } = await open(environment, "train", {
          minDifficulty: difficulty,
          maxDifficulty: difficulty,
          heldOut: 0.1,
        });
        expect(taskset.at(difficulty).meta["difficulty"]).toBe(difficulty);
      }
      const { taskset } = await open(environment, "train", { maxDifficulty: 3, weights: [1, 0, 1] });
      const drawn = new Set(Array.from({ length: 60 }, (_, index) => taskset.at(index).meta["difficulty"]));
      expect([...drawn].toSorted()).toEqual([1, 3]);
    });

    it("names the field when settings contradict each other", () => {
      const paths = (settings: object) =>
        environment.config.safeParse(settings).error?.issues.map(({ path }) => path.join("."));
      expect(paths({ minDifficulty: 4, maxDifficulty: 3 })).toEqual(["maxDifficulty"]);
      expect(paths({ weights: [1, 2, 3, 4, 5, 6, 7, 8] })).toEqual(["weights"]);
      expect(paths({ maxDifficulty: highest + 1 })).toEqual(["maxDifficulty"]);
    });

    it("passes every reference, and teaches right at an error rate of 0 and wrong at 1", async () => {
      const right = await open(environment, "train", { teacher: { errorRate: 0 } });
      const wrong = await open(environment, "train", { teacher: { errorRate: 1 } });
      for (let index = 0; index < 300; index++) {
        const task = right.taskset.at(index);
        expect(right.verify(task, boxed(task.reference)), task.reference).toMatchObject({ kind: "pass", score: 1 });
        const random = () => new Random(deriveKey(3, index));
        const good = right.teacher.demonstrate(task, random());
        expect(right.verify(task, good.response, good.prefix), good.response).toMatchObject({ kind: "pass" });
        const bad = wrong.teacher.demonstrate(task, random());
        expect(right.verify(task, bad.response, bad.prefix), bad.response).toMatchObject({ kind: "fail", score: 0 });
      }
    });

    it("errs at its rate when it teaches", async () => {
      const { taskset, verify, teacher } = await open(environment, "train", { teacher: { errorRate: 0.3 } });
      const verdicts = Array.from({ length: 1000 }, (_, index) => {
        const task = taskset.at(index);
        return verify(task, teacher.demonstrate(task, new Random(deriveKey(4, index))).response).kind;
      });
      expect(verdicts.filter((kind) => kind === "fail").length / 1000).toBeCloseTo(0.3, 1);
    });

    it("teaches nothing but its own tasks", async () => {
      const { teacher } = await open(environment, "train");
      const task = { id: "gsm8k/1", domain: "math", prompt: [], reference: "?", meta: { problem: 4 } };
      expect(() => teacher.demonstrate(task, new Random(deriveKey(1)))).toThrow(
        expect.objectContaining({ code: "TASK_OF_ANOTHER_ENVIRONMENT" }),
      );
    });

    it("gives an error that names the task when a reference cannot be used, whatever it is", async () => {
      const { verify } = await open(environment, "train");
      const unusable = fc.oneof(fc.string(), fc.constantFrom("", "?", "9".repeat(100_000), "(".repeat(300)));
      fc.assert(
        fc.property(unusable, fc.json(), (reference, problem) => {
          const task = { id: "bad/1", domain: name, prompt: [], reference: `${reference}?`, meta: { problem } };
          const verdict = verify(task, boxed("1"));
          expect(verdict).toMatchObject({ kind: "error" });
          expect(verdict.reason).toContain('unusable-reference: task "bad/1"');
          expect(verdict).not.toHaveProperty("score");
        }),
        FAST_CHECK,
      );
    });

    it("never throws and always says the same when answers are random, cut or mangled", async () => {
      const { taskset, verify, teacher } = await open(environment, "train", { teacher: { errorRate: 0 } });
      const scraps = [
        "(",
        ")",
        "{",
        "}",
        "\\frac",
        "_",
        "-",
        "->",
        "/",
        "0",
        "=",
        "not ",
        "true",
        "A",
        "\\text{",
        "²",
        "\0",
      ];
      const text = fc.oneof(
        fc.string({ unit: "binary" }),
        fc.array(fc.constantFrom(...scraps), { maxLength: 60 }).map((parts) => parts.join("")),
        fc.constantFrom("(".repeat(390), "((".repeat(50_000), "-".repeat(399), "\\frac{".repeat(60), "9".repeat(400)),
      );
      fc.assert(
        fc.property(fc.nat(50), text, fc.nat(200), fc.boolean(), (index, inserted, place, isBoxed) => {
          const task = taskset.at(index);
          const { response } = teacher.demonstrate(task, new Random(deriveKey(2, index)));
          const responses = [
            isBoxed ? boxed(inserted) : inserted,
            response.slice(0, place),
            `${response.slice(0, -place)}${inserted}${response.slice(-place)}`,
          ];
          for (const one of responses) {
            const verdict = verify(task, one);
            expect(["pass", "fail"]).toContain(verdict.kind);
            expect(VERDICT_KINDS).toContain(verdict.kind);
            expect(verdict.reason).toMatch(/^[a-z]+(-[a-z]+)*(: |$)/);
            expect(verify(task, one)).toEqual(verdict);
            expect(structuredClone(verdict)).toEqual(verdict);
          }
        }),
        FAST_CHECK,
      );
    });

    it("fails an answer that was cut before its box was closed", async () => {
      const { taskset, verify, teacher } = await open(environment, "train", { teacher: { errorRate: 0 } });
      for (let index = 0; index < 20; index++) {
        const { response } = teacher.demonstrate(taskset.at(index), new Random(deriveKey(2, index)));
        for (let end = 0; end < response.length; end++)
          expect(verify(taskset.at(index), response.slice(0, end)).kind).toBe("fail");
      }
    });

    it("writes prompts and demonstrations that the tiny policy's tokenizer gives back", async () => {
      const tokenizer = Tokenizer.fromDirectory(TINY);
      const { taskset, teacher } = await open(environment, "train");
      for (let index = 0; index < 30; index++) {
        const task = taskset.at(index);
        const text = `${task.prompt[0]!.content}\n${teacher.demonstrate(task, new Random(deriveKey(2, index))).response}`;
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }
    });
  },
);
