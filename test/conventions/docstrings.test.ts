import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ROOT,
  type Finding,
  type Node,
  type Source,
  finding,
  isNode,
  listOf,
  nameOf,
  parse,
  read,
  resolveRelative,
} from "./source.js";

/** Where the public symbols of each package begin. */
const ENTRIES = ["core/src/index.ts", "core/src/sdk.ts", "gpu/src/index.ts"];

type Load = (path: string) => Source | undefined;

/** Symbols without a docstring among those that can be imported from `path`; `names` undefined means all. */
function findBareSymbols(path: string, load: Load, names?: readonly string[]): Finding[] {
  const source = load(path);
  if (source === undefined) return [];
  return listOf(source.program, "body").flatMap((statement) => {
    const from = nameOf(statement["source"]);
    if (from !== undefined && statement.type.startsWith("Export")) {
      if (!from.startsWith(".")) return [];
      const target = resolveRelative(path, from);
      if (statement.type === "ExportAllDeclaration") return findBareSymbols(target, load, names);
      const specifiers = listOf(statement, "specifiers").filter(
        (one) => names === undefined || names.includes(nameOf(one["exported"]) ?? ""),
      );
      return findBareSymbols(
        target,
        load,
        specifiers.flatMap((one) => nameOf(one["local"]) ?? []),
      );
    }
    const isExport = statement.type === "ExportNamedDeclaration" || statement.type === "ExportDefaultDeclaration";
    const declaration = statement["declaration"];
    if (!isExport || !isNode(declaration)) return [];
    const declared = declaredBy(declaration);
    const wanted = names === undefined ? declared : declared.filter((name) => names.includes(name));
    if (wanted.length === 0 || hasDocstring(source, statement)) return [];
    return [finding(source, statement.start, `"${wanted.join(", ")}" is public and has no docstring`)];
  });
}

function declaredBy(declaration: Node): string[] {
  const own = nameOf(declaration["id"]);
  if (own !== undefined) return [own];
  return listOf(declaration, "declarations").flatMap((one) => nameOf(one["id"]) ?? []);
}

/** Whether the last block comment before a statement is its docstring: nothing between but reasons and space. */
function hasDocstring(source: Source, statement: Node): boolean {
  const before = source.comments.filter((comment) => comment.end <= statement.start);
  let edge = statement.start;
  for (const comment of before.toReversed()) {
    if (source.text.slice(comment.end, edge).trim() !== "") return false;
    if (comment.text.startsWith("/**")) return comment.text.replace(/[/*\s]/g, "") !== "";
    edge = comment.start;
  }
  return false;
}

const fromDisk: Load = (path) => (existsSync(join(ROOT, path)) ? parse(path, read(path)) : undefined);

describe("public symbols", () => {
  it("have docstrings", () => {
    expect([...new Set(ENTRIES.flatMap((path) => findBareSymbols(path, fromDisk)))]).toEqual([]);
  });

  it("are followed through re-exports", () => {
    const files: Readonly<Record<string, string>> = {
      "a/index.ts": 'export * from "./b.js"; export { d as e } from "./d.js"; export type { G } from "./g.js";',
      "a/b.ts":
        "export function b() {}\nexport interface B {}\n/** Documented. */\nexport const c = 1;\nfunction own() {}",
      "a/d.ts": "export const d = 1;\nexport const unreached = 2;",
      "a/g.ts": "/** Documented. */\n// A reason.\nexport type G = 1;\n/** */\nexport type H = 2;",
    };
    const load: Load = (path) => (files[path] === undefined ? undefined : parse(path, files[path]));
    expect(findBareSymbols("a/index.ts", load)).toEqual([
      'a/b.ts:1 "b" is public and has no docstring',
      'a/b.ts:2 "B" is public and has no docstring',
      'a/d.ts:1 "d" is public and has no docstring',
    ]);
    expect(findBareSymbols("a/g.ts", load)).toEqual(['a/g.ts:5 "H" is public and has no docstring']);
  });
});
