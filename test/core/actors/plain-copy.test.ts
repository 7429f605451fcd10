import fc from "fast-check";
import { expect, test } from "vitest";
import { NOT_PLAIN, plainCopy } from "../../../core/src/actors/plain-copy.js";

test("plainCopy() copies plain data as structured clone does, and shares nothing with it", () => {
  fc.assert(
    fc.property(fc.anything({ withTypedArray: true, withBigInt: true, withNullPrototype: false }), (value) => {
      const owned: ArrayBuffer[] = [];
      const copy = plainCopy(value, owned);
      if (copy === NOT_PLAIN) return;
      expect(copy).toEqual(structuredClone(value));
      if (typeof value === "object" && value !== null) expect(copy).not.toBe(value);
    }),
  );
  const message = { list: [{ n: 1 }], view: new Float32Array(new ArrayBuffer(64), 16, 2) };
  const owned: ArrayBuffer[] = [];
  const copy = plainCopy(message, owned);
  message.list.push({ n: 2 });
  message.view[0] = 5;
  expect(copy).toEqual({ list: [{ n: 1 }], view: new Float32Array(2) });
  expect(owned.map(({ byteLength }) => byteLength)).toEqual([8]);
});

test.each([() => 1, Symbol("s"), new Map(), new Date(0), new Error("e"), [[() => 1]], { a: { b: new Map() } }])(
  "plainCopy() leaves what is not plain to others (%#)",
  (value) => {
    expect(plainCopy(value, [])).toBe(NOT_PLAIN);
  },
);

test("plainCopy() leaves shared, detached and endless data to others", () => {
  const moved = new Uint8Array(4);
  structuredClone(moved, { transfer: [moved.buffer] });
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  for (const value of [new Uint8Array(new SharedArrayBuffer(4)), moved, cycle])
    expect(plainCopy(value, [])).toBe(NOT_PLAIN);
});
