import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupAdvantages } from "../../../core/src/numerics/advantages.js";
import { balancedReward, lengthAwareRewards, naiveReward, type Outcome } from "../../../plugins/autothink/rewards.js";

const CELLS: readonly Outcome[] = [
  { think: true, correct: true },
  { think: true, correct: false },
  { think: false, correct: true },
  { think: false, correct: false },
];
const naive = (outcome: Outcome): number => naiveReward({ ...outcome, isFormatError: false, isDegenerate: false }, -1);
const close = (actual: readonly number[], wanted: readonly number[], digits = 6): void => {
  expect(actual).toHaveLength(wanted.length);
  wanted.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, digits));
};

describe("naiveReward()", () => {
  it("gives -1, or the option's value, when an answer without thinking has no box", () => {
    const noBox = { think: false, correct: false, isFormatError: true, isDegenerate: false };
    expect(naiveReward(noBox, -1)).toBe(-1);
    expect(naiveReward(noBox, 0)).toBe(0);
  });

  it("gives -2 when a wrong answer without thinking is degenerate, and only then", () => {
    const rewards = CELLS.map((outcome) => naiveReward({ ...outcome, isFormatError: false, isDegenerate: true }, -1));
    expect(rewards).toEqual([1, 0, 2, -2]);
  });
});

describe("balancedReward()", () => {
  it.each([
    [0.5, 2, 0, [1, 0, 1, -2]],
    [0.5, 2, 0.125, [1, 0, 1.25, -1.75]],
    [0.5, 2, 0.25, [1, 0, 1.5, -1.5]],
    [0.5, 2, 0.4, [1, 0, 1.8, -1.2]],
    [0.5, 2, 0.5, [1, 0, 2, -1]],
    [0.5, 2, 0.6, [0.8, -0.2, 2, -1]],
    [0.5, 2, 0.75, [0.5, -0.5, 2, -1]],
    [0.5, 2, 0.9, [0.2, -0.8, 2, -1]],
    [0.5, 2, 1, [0, -1, 2, -1]],
    [0.2, 2, 0.5, [0.4, -0.6, 1.4, -1.6]],
    [0.8, 2, 0.5, [1, 0, 2, -1]],
    [0.5, 1, 0.9, [0.6, -0.4, 2, -1]],
    [0.5, 4, 0.7, [0.2, -0.8, 2, -1]],
  ])("gives the worked values when gamma is %d, lambda %d and z %d", (gamma, lambda, z, wanted) => {
    close(
      CELLS.map((cell) => balancedReward(naive(cell), cell, z, { gamma, lambda })),
      wanted,
      12,
    );
  });

  it("takes the mode's delta off every naive reward, and nothing when gamma is 1, whatever z", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, fc.double({ min: 0, max: 8, noNaN: true }), (z, gamma, lambda) => {
        for (const cell of CELLS) {
          const over = Math.min(1, Math.max(0, lambda * ((cell.think ? z : 1 - z) - gamma)));
          expect(balancedReward(naive(cell), cell, z, { gamma, lambda }) - naive(cell)).toBeCloseTo(-over, 12);
          expect(balancedReward(naive(cell), cell, z, { gamma: 1, lambda })).toBe(naive(cell));
        }
      }),
    );
  });

  it("draws a format error of 0 towards -2 and leaves a degenerate -2 when no thinking dominates", () => {
    const wrong = { think: false, correct: false };
    expect(balancedReward(0, wrong, 0.25, { gamma: 0.5, lambda: 2 })).toBe(-1);
    expect(balancedReward(-2, wrong, 0.25, { gamma: 0.5, lambda: 2 })).toBe(-2);
  });

  it("keeps advantages as they are when a group has two reward values of one mode, whatever z", () => {
    for (const z of [0.1, 0.5, 0.75, 1]) {
      const group = [CELLS[0]!, CELLS[0]!, CELLS[1]!, CELLS[1]!];
      const rewards = group.map((cell) => balancedReward(naive(cell), cell, z, { gamma: 0.5, lambda: 2 }));
      close(groupAdvantages(rewards), [0.866024, 0.866024, -0.866024, -0.866024], 5);
    }
  });
});

describe("lengthAwareRewards()", () => {
  const sample = (reward: number, correct: boolean, length: number) => ({ reward, correct, length });

  it("gives the worked values when a group of eight mixes modes and outcomes", () => {
    const lengths = [100, 200, 300, 4000, 5000, 6000, 150, 2000];
    const correct = [1, 1, 1, 0, 0, 0, 1, 0];
    const rewards = [1, 2, 1, 0, 0, -1, 2, 0];
    close(
      lengthAwareRewards(
        lengths.map((length, i) => sample(rewards[i]!, correct[i] === 1, length)),
        0.05,
        0.05,
      ),
      [1.052569959, 1.99270747, 0.936249522, -0.007346102, 0.021718435, -0.950055615, 2.022200597, -0.068091333],
      8,
    );
  });

  it.each([
    [
      "three right ones",
      [sample(1, true, 100), sample(1, true, 200), sample(1, true, 300)],
      [1.051271096, 1, 0.951229425],
    ],
    [
      "right ones of both modes",
      [sample(2, true, 100), sample(1, true, 200), sample(1, true, 300)],
      [2.051271096, 1, 0.951229425],
    ],
    ["two wrong ones", [sample(0, false, 100), sample(-1, false, 300)], [-0.03598777, -0.96526236]],
    ["two right ones of equal length", [sample(1, true, 70), sample(2, true, 70)], [1, 2]],
    ["exactly one right one", [sample(1, true, 70), sample(0, false, 70)], [1, 0]],
  ])("gives the worked values when a group has %s", (_what, group, wanted) => {
    close(lengthAwareRewards(group, 0.05, 0.05), wanted, 8);
  });

  it("gives full-size advantages when length is the only difference", () => {
    const group = [100, 200, 300].map((length) => sample(1, true, length));
    close(groupAdvantages(lengthAwareRewards(group, 0.05, 0.05)), [1.008206, -0.016661, -0.991545]);
  });

  const group = fc.array(
    fc.record({ reward: fc.constant(0), correct: fc.boolean(), length: fc.integer({ min: 1, max: 9000 }) }),
    { minLength: 2, maxLength: 8 },
  );

  it("changes nothing when alpha and beta are 0", () => {
    fc.assert(
      fc.property(group, (samples) => {
        expect(lengthAwareRewards(samples, 0, 0)).toEqual(samples.map(() => 0));
      }),
    );
  });

  it("falls with length among right answers, rises among wrong ones, and never swaps the two when settings are the paper's", () => {
    fc.assert(
      fc.property(group, (samples) => {
        const naiveOnes = samples.map((one) => ({ ...one, reward: one.correct ? 1 : 0 }));
        const shaped = lengthAwareRewards(naiveOnes, 0.05, 0.05);
        naiveOnes.forEach((a, i) =>
          naiveOnes.forEach((b, j) => {
            if (a.correct && !b.correct) expect(shaped[i]!).toBeGreaterThan(shaped[j]!);
            if (a.correct !== b.correct || a.length >= b.length) return;
            if (a.correct) expect(shaped[i]!).toBeGreaterThan(shaped[j]!);
            else expect(shaped[i]!).toBeLessThan(shaped[j]!);
          }),
        );
      }),
    );
  });

  it("followed by the balance gives r - delta + (1 - delta) s when both are on", () => {
    const shaped = lengthAwareRewards(
      [100, 200, 300].map((length) => sample(1, true, length)),
      0.05,
      0.05,
    );
    const balance = { gamma: 0.5, lambda: 2 };
    close(
      shaped.map((reward) => balancedReward(reward, CELLS[0]!, 0.75, balance)),
      [0.525635548, 0.5, 0.475614712],
      8,
    );
  });
});
