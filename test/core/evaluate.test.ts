import { describe, expect, test } from "vitest";
import { evaluate, summarise } from "../../core/src/evaluate.js";
import { runConfigSchema } from "../../core/src/config/run-config.js";
import type { RunSession } from "../../core/src/run-session.js";
import { accuraciesOf } from "../../core/src/records/evaluation.js";
import { emptyState } from "../../core/src/run-state.js";
import type { Group, Sample } from "../../core/src/records/group.js";
import type { Verdict } from "../../core/src/records/verdict.js";
import { makeGroup, type SampleSketch } from "../plugins/hook-contexts.js";

/** A group whose samples may have verdicts that are not pass or fail. */
function group(
  id: string,
  difficulty: number | undefined,
  samples: readonly (SampleSketch & Partial<Pick<Verdict, "score">>)[],
): Group {
  const made = makeGroup(id, samples, difficulty === undefined ? {} : { difficulty });
  return {
    ...made,
    samples: made.samples.map((sample, slot): Sample => {
      const { verdict = "fail", score } = samples[slot] ?? {};
      const { score: _, ...rest } = sample.verdict;
      const isScored = verdict === "pass" || verdict === "fail" || score !== undefined;
      return { ...sample, verdict: { ...rest, ...(isScored ? { score: score ?? (verdict === "pass" ? 1 : 0) } : {}) } };
    }),
  };
}

describe("summarise()", () => {
  test("tells domains apart where there are several, and says nothing of them where there is one", () => {
    const groups = [
      group("a", 1, [{ verdict: "pass", length: 4 }]),
      group("b", 1, [{ verdict: "fail", length: 8 }]),
      group("c", 1, [{ verdict: "pass", length: 6 }]),
    ].map((one, index) => ({ ...one, task: { ...one.task, domain: index < 2 ? "sums" : "logic" } }));
    const evaluation = summarise("default", 1, 1, groups, 1);
    expect(evaluation.byDomain).toMatchObject([
      { domain: "sums", n: 2, accuracy: 0.5, tokensPerAnswer: 6 },
      { domain: "logic", n: 1, accuracy: 1, tokensPerAnswer: 6 },
    ]);
    expect(accuraciesOf(evaluation)).toEqual({
      "eval/accuracy": expect.closeTo(2 / 3, 12),
      "eval/accuracy/sums": 0.5,
      "eval/accuracy/logic": 1,
    });
    expect(summarise("default", 1, 1, groups.slice(0, 2), 1)).not.toHaveProperty("byDomain");
  });

  test("counts one sample a task: accuracy with its Wilson interval, lengths, thinking, truncation", () => {
    const groups = [
      group("a", 1, [{ verdict: "pass", length: 4, response: "hm</think>1" }]),
      group("b", 1, [{ verdict: "fail", length: 8, response: "</think>2" }]),
      group("c", 2, [{ verdict: "pass", length: 6, response: "so</think>3" }]),
      group("d", undefined, [{ verdict: "pass", length: 2, prefix: "<think>\n\n</think>\n\n", response: "4" }]),
    ];
    const cut = groups.map((one, index) =>
      index === 1
        ? {
            ...one,
            samples: one.samples.map((sample) => ({
              ...sample,
              trajectory: { ...sample.trajectory, stopReason: "length" as const },
            })),
          }
        : one,
    );
    const evaluation = summarise("default", 7, 1, cut, 2.5);
    expect(evaluation).toMatchObject({
      mode: "default",
      version: 7,
      n: 4,
      samplesPerTask: 1,
      accuracy: 0.75,
      tokensPerAnswer: 5,
      thinkRate: 0.5,
      truncated: 0.25,
      ungradable: 0,
      passAtK: 0.75,
      mixedGroups: 0,
      seconds: 2.5,
    });
    // Wilson at 3 of 4 and z = 1.96.
    expect(evaluation.ci95[0]).toBeCloseTo(0.3006, 3);
    expect(evaluation.ci95[1]).toBeCloseTo(0.9544, 3);
    expect(evaluation.byDifficulty).toEqual([
      { difficulty: 1, n: 2, accuracy: 0.5, tokensPerAnswer: 6, thinkRate: 0.5 },
      { difficulty: 2, n: 1, accuracy: 1, tokensPerAnswer: 6, thinkRate: 1 },
    ]);
  });

  test("counts several samples a task: pass@k, and the groups that are mixed", () => {
    const evaluation = summarise(
      "default",
      1,
      2,
      [
        group("a", 1, [{ verdict: "pass" }, { verdict: "fail" }]),
        group("b", 1, [{ verdict: "fail" }, { verdict: "fail" }]),
        group("c", 1, [{ verdict: "pass" }, { verdict: "pass" }]),
        group("d", 1, [{ verdict: "fail" }, { verdict: "fail" }]),
      ],
      1,
    );
    expect(evaluation).toMatchObject({ accuracy: 3 / 8, passAtK: 0.5, mixedGroups: 0.25 });
  });

  test("leaves verdicts that are not gradable out of every mean, and counts them", () => {
    const evaluation = summarise(
      "default",
      1,
      1,
      [
        group("a", 1, [{ verdict: "pass", length: 4 }]),
        group("b", 1, [{ verdict: "timeout", length: 100 }]),
        group("c", 2, [{ verdict: "abstain", length: 100 }]),
        group("d", 1, [{ verdict: "partial", score: 0.5, length: 6 }]),
      ],
      1,
    );
    expect(evaluation).toMatchObject({ n: 4, accuracy: 0.75, tokensPerAnswer: 5, ungradable: 2 });
    expect(evaluation.byDifficulty[0]).toMatchObject({ difficulty: 1, n: 2, accuracy: 0.75 });
    expect(evaluation.byDifficulty.map(({ n }) => n)).toEqual([2]);
  });
});

describe("evaluate()", () => {
  test.each([
    [0.5, undefined],
    [0.49, "VERIFIER_ERROR_RATE"],
  ])("with half of the verdicts ungradable and a limit of %s ends with %s", async (maxErrorRate, code) => {
    const groups = [group("a", 1, [{ verdict: "pass" }]), group("b", 1, [{ verdict: "timeout" }])];
    const config = runConfigSchema.parse({
      name: "a",
      policy: { from: "." },
      environment: { use: "b" },
      verify: { maxErrorRate },
    });
    // Of a session only what evaluate() asks: two held-out tasks, their trajectories and their verdicts.
    const session = {
      config,
      state: emptyState(),
      signal: new AbortController().signal,
      parts: {
        plugins: { hold: () => ({ key: "", release: () => {} }) },
        held: { size: 2, at: (index: number) => groups[index]?.task },
        rollouts: { rollOut: async () => groups.map(({ samples }) => samples.map(({ trajectory }) => trajectory)) },
        verifiers: {
          verify: async ({ task }: { task: Group["task"] }) =>
            groups
              .filter((one) => one.task === task)
              .flatMap(({ samples }) => samples.map(({ verdict }) => ({ verdict, annotations: {} }))),
        },
      },
    } as unknown as RunSession;
    const ended = await evaluate(session, "default", { isProbe: true }).catch((error: unknown) => error);
    expect(ended).toMatchObject(code === undefined ? { accuracy: 1, ungradable: 1 } : { code, exitCode: 5 });
  });
});
