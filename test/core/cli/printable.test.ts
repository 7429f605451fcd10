import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  displayWidth,
  fit,
  oneLine,
  printable,
  truncate,
  withoutTemplate,
  wrap,
} from "../../../core/cli/render/printable.js";

const anyText = fc.string({ unit: "binary", maxLength: 60 });

describe("printable()", () => {
  it("leaves nothing that a terminal obeys", () => {
    expect(printable("a\x1b[31mred\x1b]0;title\x07\x9b2J\r\b\u202eevil\u2066\ufeff\n\tb")).toBe(
      "a[31mred]0;title2Jevil\n\tb",
    );
  });

  it("leaves no control character in any text but newline and tab", () => {
    fc.assert(
      fc.property(
        anyText,
        (text) => !/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(printable(text)),
      ),
    );
  });
});

describe("oneLine()", () => {
  it("shows newlines as a sign and joins other white space", () => {
    expect(oneLine("  1+2\n\n =\t 3 ")).toBe("1+2 ⏎ = 3");
  });
});

describe("withoutTemplate()", () => {
  it("leaves what was said", () => {
    expect(withoutTemplate("<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n<think>\n")).toBe("1+1\n<think>");
  });
});

describe("displayWidth()", () => {
  it("counts wide characters twice and combining marks not at all", () => {
    expect([displayWidth("abc"), displayWidth("日本"), displayWidth("e\u0301"), displayWidth("✓█░🙂")]).toEqual([
      3, 4, 1, 5,
    ]);
  });
});

describe("fit()", () => {
  it("gives exactly the width for any text", () => {
    fc.assert(fc.property(anyText, fc.nat(30), (text, width) => displayWidth(fit(printable(text), width)) === width));
  });
});

describe("truncate()", () => {
  it("marks a cut and leaves shorter texts alone", () => {
    expect([truncate("abcdef", 4), truncate("abcd", 4), truncate("日本語", 4), truncate("abc", 0)]).toEqual([
      "abc…",
      "abcd",
      "日…",
      "",
    ]);
  });
});

describe("wrap()", () => {
  it("breaks at spaces, and within words that are too long", () => {
    expect(wrap("one two three\nfour", 8)).toEqual(["one two", "three", "four"]);
    expect(wrap("abcdefghij", 4)).toEqual(["abcd", "efgh", "ij"]);
  });

  it("never exceeds the width and loses nothing but spaces", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "b", " ", "日", "\n"), maxLength: 60 }),
        fc.integer({ min: 2, max: 20 }),
        (text, width) => {
          const lines = wrap(text, width);
          expect(lines.every((line) => displayWidth(line) <= width)).toBe(true);
          expect(lines.join("").replace(/ /g, "")).toBe(text.replace(/[ \n]/g, ""));
        },
      ),
    );
  });
});
