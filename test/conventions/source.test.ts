import { describe, expect, it } from "vitest";
import { importsOf, lineOf, parse } from "./source.js";

describe("parse()", () => {
  it("finds comments and nothing that only looks like one", () => {
    const source = parse(
      "a.ts",
      'const é = "// no"; // yes\nconst b = `/* no ${1 /* in */} */`;\nconst c = /\\/\\/no/;\n/** doc */',
    );
    expect(source.comments.map((comment) => comment.text)).toEqual(["// yes", "/* in */", "/** doc */"]);
    expect(source.comments.map((comment) => lineOf(source, comment.start))).toEqual([1, 2, 4]);
  });
});

describe("importsOf()", () => {
  it("finds every form of import", () => {
    const text = `import a from "a"; import type { B } from "b"; export * from "c"; export { d } from "d";
      const e = await import("e"); type F = import("f").F; import "g"; export const h = "h";`;
    expect(importsOf(parse("a.ts", text)).map((found) => found.specifier)).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });
});
