import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextTasks } from "../../../core/src/rollout/task-order.js";

describe("nextTasks()", () => {
  test("gives consecutive indices of an endless taskset", () => {
    const first = nextTasks({ taken: 0 }, 3, Infinity, 1);
    expect(first).toEqual({ indices: [0, 1, 2], cursor: { taken: 3 } });
    expect(nextTasks(first.cursor, 2, Infinity, 9).indices).toEqual([3, 4]);
  });

  test("gives every task once an epoch, in an order that depends on seed and epoch", () => {
    const epochs = nextTasks({ taken: 0 }, 40, 20, 5).indices;
    const sorted = Array.from({ length: 20 }, (_, index) => index);
    expect(epochs.slice(0, 20).toSorted((a, b) => a - b)).toEqual(sorted);
    expect(epochs.slice(20).toSorted((a, b) => a - b)).toEqual(sorted);
    expect(epochs.slice(0, 20)).not.toEqual(epochs.slice(20));
    expect(nextTasks({ taken: 0 }, 20, 20, 6).indices).not.toEqual(epochs.slice(0, 20));
  });

  test("gives the same tasks however they are taken, across epochs and after going back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 }),
        fc.nat(100),
        (size, counts, seed) => {
          const total = counts.reduce((sum, count) => sum + count, 0);
          let cursor = { taken: 0 };
          const taken = counts.flatMap((count) => {
            const next = nextTasks(cursor, count, size, seed);
            // Another run of the process asks in between.
            nextTasks({ taken: 3 }, 5, size + 1, seed + 1);
            cursor = next.cursor;
            return next.indices;
          });
          expect(taken).toEqual(nextTasks({ taken: 0 }, total, size, seed).indices);
          expect(cursor).toEqual({ taken: total });
        },
      ),
    );
  });
});
