import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dealOut, ExpectedLengths } from "../../../core/src/rollout/expected-lengths.js";
import type { GroupOrder } from "../../../core/src/rollout/rollout.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

function group(id: string, domain = "d", size = 2): GroupOrder {
  return { id, task: { id, domain, prompt: [], reference: "", meta: {} }, size };
}

function seen(lengths: ExpectedLengths, of: GroupOrder, length: number, isSeenAgain = true): void {
  lengths.observe(
    of,
    [0, 1].map((slot) => makeTrajectory(`${of.id}/${slot}`, of.task.id, slot, { length })),
    isSeenAgain,
  );
}

describe("ExpectedLengths.of()", () => {
  test("is what was seen of the task, the newest most, or else of its domain, or else 0", () => {
    const lengths = new ExpectedLengths();
    expect(lengths.of(group("a"))).toBe(0);
    seen(lengths, group("a"), 40);
    expect(lengths.of(group("a"))).toBe(80);
    expect(lengths.of(group("b"))).toBe(80);
    expect(lengths.of(group("b", "other"))).toBe(0);
    seen(lengths, group("a"), 20);
    expect(lengths.of(group("a"))).toBe(60);
    expect(lengths.of(group("a", "d", 8))).toBe(240);
  });

  test("is that of the domain for tasks that never come again: nothing of them is kept", () => {
    const lengths = new ExpectedLengths();
    for (const length of [10, 40, 20]) seen(lengths, group(`once-${length}`), length, false);
    for (const name of ["once-10", "once-40", "new"]) expect(lengths.of(group(name))).toBe(45);
  });
});

describe("dealOut()", () => {
  test("gives every group to one actor, none of them more than the longest group beyond the least", () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 40 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 8 }), (all, actors) => {
        const groups = all.map((_, index) => group(String(index)));
        const costOf = ({ id }: GroupOrder): number => Math.max(1, all[Number(id)] ?? 0);
        const shares = dealOut(groups, actors, (one) => all[Number(one.id)] ?? 0);
        expect(shares).toHaveLength(actors);
        expect(shares.flat().toSorted((a, b) => Number(a.id) - Number(b.id))).toEqual(groups);
        const sums = shares.map((share) => share.reduce((sum, one) => sum + costOf(one), 0));
        expect(Math.max(...sums) - Math.min(...sums)).toBeLessThanOrEqual(Math.max(0, ...groups.map(costOf)));
        for (const share of shares) {
          const costs = share.map(costOf);
          expect(costs).toEqual(costs.toSorted((a, b) => b - a));
        }
      }),
    );
  });

  test("gives as many to each where nothing is known", () => {
    const groups = Array.from({ length: 7 }, (_, index) => group(String(index)));
    expect(dealOut(groups, 3, () => 0).map((share) => share.map(({ id }) => id))).toEqual([
      ["0", "3", "6"],
      ["1", "4"],
      ["2", "5"],
    ]);
  });
});
