import { describe, expect, it } from "vitest";
import {
  type Finding,
  type Node,
  type Source,
  finding,
  isNode,
  lineOf,
  nameOf,
  nodesOf,
  parse,
  sourcesIn,
  walk,
} from "./source.js";

const sources = () => sourcesIn("core", "gpu", "environments", "plugins", "examples", "test");

function findAny(source: Source): Finding[] {
  return nodesOf(source, "TSAnyKeyword").map((node) => finding(source, node.start, "any: say unknown, and parse it"));
}

/** The nearest thing that a reason can stand above. */
const HOLDERS =
  /Statement$|^(VariableDeclaration|ExportNamedDeclaration|Property|PropertyDefinition|MethodDefinition|ArrowFunctionExpression)$/;

/** Assertions, `as const` apart, without a comment on their lines or above them; a docstring is no reason. */
function findBareAssertions(source: Source): Finding[] {
  const reasons = source.comments.filter((comment) => !comment.text.startsWith("/**"));
  const reasonLines = new Set(
    reasons.flatMap((comment) => range(lineOf(source, comment.start), lineOf(source, comment.end))),
  );
  const findings: Finding[] = [];
  walk(source.program, (node, ancestors) => {
    if (node.type !== "TSAsExpression" && node.type !== "TSTypeAssertion") return;
    // `x as unknown as T` is one assertion.
    if (isConst(node) || ancestors.at(-1)?.type === node.type) return;
    const [first, last] = [lineOf(source, node.start), lineOf(source, node.end)];
    const holder = ancestors.findLast((ancestor) => HOLDERS.test(ancestor.type)) ?? node;
    const lines = [lineOf(source, holder.start) - 1, ...range(first - 1, last)];
    if (!lines.some((line) => reasonLines.has(line)))
      findings.push(finding(source, node.start, '"as" without a reason beside it'));
  });
  return findings;
}

function isConst(node: Node): boolean {
  const type = node["typeAnnotation"];
  return isNode(type) && type.type === "TSTypeReference" && nameOf(type["typeName"]) === "const";
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe("types", () => {
  it("are never any", () => {
    expect(sources().flatMap(findAny)).toEqual([]);
  });

  it.each(["let a: any;", "type A = Record<string, any[]>;", "f<any>();", "export const a = (b: any) => b;"])(
    "finds any in %s",
    (text) => {
      expect(findAny(parse("a.ts", text))).toHaveLength(1);
    },
  );

  it("finds no any in words, strings and comments", () => {
    expect(findAny(parse("a.ts", 'const any = "any"; // any\nlet many: unknown = any;'))).toEqual([]);
  });
});

describe("assertions", () => {
  it("give their reason", () => {
    expect(sources().flatMap(findBareAssertions)).toEqual([]);
  });

  it.each([
    "const a = b as A;",
    "// Too far away.\n\nconst a = b as A;",
    "/** Docstring. */\nexport const a = b as A;",
    "const a = b as unknown as A;",
    "// A reason.\nconst a = b as A;\nconst c = d as A;",
    "// A reason for something else.\nfunction f() {\n  g();\n  return a as A;\n}",
  ])("finds the bare one in %j", (text) => {
    expect(findBareAssertions(parse("a.ts", text))).toHaveLength(1);
  });

  it.each([
    "const a = b as A; // reason",
    "// reason\nconst a = b as A;",
    "const a = [1] as const;",
    "const a = b satisfies A;",
    'import { a as b } from "c";',
    "// reason\nconst a = f(\n  1,\n  b as A,\n);",
    "f({\n  // reason\n  a: b as A,\n});",
  ])("leaves %j alone", (text) => {
    expect(findBareAssertions(parse("a.ts", text))).toEqual([]);
  });
});
