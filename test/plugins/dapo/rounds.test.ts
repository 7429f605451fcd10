import { describe, expect, it } from "vitest";
import { collectCohort } from "../../../core/src/collect.js";
import { runConfigSchema } from "../../../core/src/config/run-config.js";
import { Method } from "../../../core/src/hooks/method.js";
import { loadPlugin } from "../../../core/src/hooks/plugin-loader.js";
import type { Group } from "../../../core/src/records/group.js";
import { makeGroup, PLAN } from "../hook-contexts.js";

/** Groups of eight with this many right answers, handed out as rounds ask for them. */
function sourceOf(correct: readonly number[]) {
  const rounds: number[][] = [];
  let next = 0;
  return {
    rounds,
    next: async (wanted: number): Promise<readonly Group[]> => {
      const counts = correct.slice(next, (next += wanted));
      rounds.push(counts);
      return counts.map((right, i) =>
        makeGroup(
          `${next + i}:${right}`,
          Array.from({ length: 8 }, (_, slot) => ({ verdict: slot < right ? ("pass" as const) : ("fail" as const) })),
        ),
      );
    },
  };
}

describe("collectCohort() with dapo", () => {
  it("goes on for rounds until 4 groups are mixed and then has exactly 32 answers when 0, 8, 3, 8, 1, 7, 4, 5 of 8 are right", async () => {
    const dapo = await loadPlugin("dapo", {}, ".");
    const method = new Method({ seed: 1, plugins: [dapo], states: {}, onEvent: () => {}, hookDeadlineMs: 10_000 });
    const config = runConfigSchema.parse({ name: "a", policy: { from: "." }, environment: { use: "b" } });
    const source = sourceOf([0, 8, 3, 8, 1, 7, 4, 5]);
    const plan = { ...PLAN, promptsPerStep: 4, groupSize: 8 };
    const { kept } = await collectCohort(method, { step: 1, progress: 0 }, plan, config, source);
    expect(source.rounds.length).toBeGreaterThan(1);
    expect(kept.map(({ group }) => Number(group.id.split(":")[1]))).toEqual([3, 1, 7, 4]);
    expect(kept.flatMap(({ group }) => group.samples)).toHaveLength(32);
  });
});
