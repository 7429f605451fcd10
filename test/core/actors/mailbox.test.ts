import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Mailbox } from "../../../core/src/actors/mailbox.js";

describe("Mailbox", () => {
  test("push() refuses when capacity is reached, and takes again after shift()", () => {
    const mailbox = new Mailbox<string>(2);
    expect([mailbox.push("a"), mailbox.push("b"), mailbox.push("c")]).toEqual([true, true, false]);
    expect(mailbox.shift()).toBe("a");
    expect(mailbox.push("d")).toBe(true);
    expect([mailbox.shift(), mailbox.shift(), mailbox.shift()]).toEqual(["b", "d", undefined]);
  });

  test("behaves as a bounded list does when pushed and shifted in any order", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.boolean(), { maxLength: 300 }), (capacity, pushes) => {
        const mailbox = new Mailbox<number>(capacity);
        const list: number[] = [];
        for (const [n, pushed] of pushes.entries()) {
          if (pushed) {
            expect(mailbox.push(n)).toBe(list.length < capacity);
            if (list.length < capacity) list.push(n);
          } else expect(mailbox.shift()).toBe(list.shift());
          expect(mailbox.length).toBe(list.length);
          expect(mailbox.peek()).toBe(list[0]);
        }
      }),
    );
  });
});
