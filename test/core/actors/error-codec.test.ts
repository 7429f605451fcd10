import { describe, expect, test } from "vitest";
import { decodeError, encodeError } from "../../../core/src/actors/error-codec.js";
import { TroupeError } from "../../../core/src/error-catalogue.js";

const carried = (thrown: unknown): Error => decodeError(structuredClone(encodeError(thrown)));

describe("encodeError() and decodeError()", () => {
  test("keep name, message, code, stack, fields and the chain of causes when an error crosses", () => {
    const error = Object.assign(new TypeError("outer", { cause: new RangeError("inner", { cause: "root" }) }), {
      code: "E_OUTER",
      size: 3,
    });
    const arrived = carried(error);
    expect(arrived).toMatchObject({
      name: "TypeError",
      message: "outer",
      code: "E_OUTER",
      size: 3,
      stack: error.stack,
    });
    expect(arrived.cause).toMatchObject({ name: "RangeError", message: "inner", cause: { message: "root" } });
  });

  test("give a TroupeError again when one was encoded", () => {
    const error = new TroupeError("SOME_CODE", "Cannot do it", {
      hint: "Do it",
      exitCode: 3,
      details: { list: [1] },
      cause: new Error("why"),
    });
    const arrived = carried(error);
    expect(arrived).toBeInstanceOf(TroupeError);
    expect(arrived).toMatchObject({
      code: "SOME_CODE",
      hint: "Do it",
      exitCode: 3,
      details: { list: [1] },
      cause: { message: "why" },
    });
  });

  test("describe fields when structured clone refuses them", () => {
    const arrived = carried(
      Object.assign(new Error("odd"), {
        call: () => 1,
        symbol: Symbol("s"),
        promise: Promise.resolve(1),
        kept: { a: 1 },
      }),
    );
    expect(arrived).toMatchObject({ call: "[Function: call]", symbol: "Symbol(s)", kept: { a: 1 } });
  });

  test("keep a DOMException's name and message, and an AggregateError's errors", () => {
    expect(carried(new DOMException("given up", "AbortError"))).toMatchObject({
      name: "AbortError",
      message: "given up",
    });
    const many = carried(new AggregateError([new Error("one"), "two"], "both"));
    expect(many).toMatchObject({ name: "AggregateError", errors: [{ message: "one" }, { message: "two" }] });
  });

  test("end when errors cause one another, and cut texts of any length", () => {
    const circular = new Error("round and round");
    circular.cause = circular;
    expect(carried(circular).message).toBe("round and round");
    expect(carried(new Error("x".repeat(1_000_000))).message.length).toBeLessThan(20_000);
  });

  test("take whatever was thrown", () => {
    for (const thrown of [undefined, null, 0, "text", Symbol("s"), { some: "object" }, () => 1]) {
      expect(carried(thrown)).toBeInstanceOf(Error);
    }
  });

  test("survive an error whose fields throw when they are read", () => {
    const hostile = Object.defineProperty(new Error("hostile"), "trap", {
      enumerable: true,
      get() {
        throw new Error("gotcha");
      },
    });
    expect(carried(hostile).message).toContain("hostile");
  });
});
