import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { tryEnvironment } from "../../../core/src/plugin-kit/environment-kit.js";
import { settingsSchema } from "../../../environments/arithmetic/settings.js";
import { programTaskset } from "../../../environments/programs/taskset.js";
import { programTeacher } from "../../../environments/programs/teacher.js";
import { programVerifier } from "../../../environments/programs/verifier.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

const verify = (answer: string, reference: string) =>
  programVerifier.verify(
    { id: "t", domain: "programs", prompt: [], reference, meta: {} },
    makeTrajectory("x", "t", 0, { response: `</think>\\boxed{${answer}}` }),
  );

describe("programVerifier.verify()", () => {
  it.each([
    ["x+0", "x+4-2+5 mod 7", "pass", "equal"],
    ["x-0", "x+4-2+5 mod 7", "pass", "equal"],
    ["x*1", "x+4-2+5 mod 7", "pass", "equal"],
    ["x-6", "x+4-3 mod 7", "pass", "equal"],
    ["x+1", "x+4-2+5 mod 7", "fail", "wrong-output: f(0) is 1, want 0"],
    ["x*2", "x+4-2+5 mod 7", "fail", "wrong-output: f(1) is 2, want 1"],
    ["x+4-4", "x+4-2+5 mod 7", "fail", "too-many-operations: 2, at most 1 is wanted"],
    ["0", "x+4-2+5 mod 7", "fail", 'unparsable: found "0"'],
    ["x", "x+4-2+5 mod 7", "fail", 'unparsable: found "x"'],
    ["x+0", "7", "error", 'unusable-reference: task "t" has "7"'],
  ])("judges %s against %s as its tests do", (answer, reference, kind, reason) => {
    expect(verify(answer, reference)).toMatchObject({ kind, reason });
  });
});

describe("programTeacher()", () => {
  it("passes when it makes no mistakes", () => {
    const settings = settingsSchema.parse({
      modulus: 7,
      teacher: { errorRate: 0, styles: { think: 1, thinkfree: 0, "ellipsis-think": 0, "ellipsis-direct": 0 } },
    });
    const tasks = programTaskset(settings, "train", 1);
    const random = new Random(deriveKey(3));
    for (let index = 0; index < 50; index++) {
      const task = tasks.at(index);
      const { prefix, response } = programTeacher(settings).demonstrate(task, random);
      const trajectory = makeTrajectory("x", task.id, 0, { response });
      expect(programVerifier.verify(task, { ...trajectory, assistantPrefix: prefix })).toMatchObject({ kind: "pass" });
    }
  });
});

describe("the environment", () => {
  it("keeps its contract", async () => {
    for (const result of await tryEnvironment("programs", ".")) expect(result).toMatchObject({ isKept: true });
  });
});
