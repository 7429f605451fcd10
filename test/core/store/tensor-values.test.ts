import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { float32Of, tensorOf } from "../../../core/src/store/tensor-values.js";
import { bfloat16Of } from "../../support/bfloat16.js";

describe("float32Of()", () => {
  it("shares the memory of F32", () => {
    const values = Float32Array.of(1, 2);
    expect(float32Of(tensorOf(values, [2]))?.buffer).toBe(values.buffer);
  });

  it("widens BF16 and F16 exactly", () => {
    const widen = (type: "BF16" | "F16", ...halves: number[]) =>
      float32Of({ type, bytes: new Uint8Array(Uint16Array.from(halves).buffer) });
    expect([...(widen("BF16", 0x3f80, 0xc020, 0x7f80, 0x0001) ?? [])]).toEqual([1, -2.5, Infinity, 2 ** -133]);
    expect([...(widen("F16", 0x3c00, 0xc100, 0x7bff, 0x0001, 0x0400, 0xfc00) ?? [])]).toEqual([
      1,
      -2.5,
      65504,
      2 ** -24,
      2 ** -14,
      -Infinity,
    ]);
  });

  it("is undefined for whole numbers", () => {
    expect(float32Of({ type: "I32", bytes: new Uint8Array() })).toBeUndefined();
  });
});

describe("bfloat16Of()", () => {
  it("rounds to the nearest of the values that bfloat16 has, to even between two", () => {
    const round = (...values: number[]) => [
      ...(float32Of({ type: "BF16", bytes: bfloat16Of(Float32Array.from(values)) }) ?? []),
    ];
    // Between 1 and 2 its values are 1/128 apart.
    expect(round(1, -2.5, 1 + 1 / 256, 1 + 3 / 256, 1 + 1.01 / 256)).toEqual([1, -2.5, 1, 1 + 4 / 256, 1 + 2 / 256]);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, max: 2 ** 126, min: -(2 ** 126) }), (value) => {
        const [rounded = NaN] = round(value);
        expect(Math.abs(rounded - value)).toBeLessThanOrEqual(Math.abs(value) / 256 + 2 ** -134);
        expect(round(rounded)).toEqual([rounded]);
      }),
    );
  });
});
