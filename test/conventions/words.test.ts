import { describe, expect, it } from "vitest";
import { type Finding, type Source, filesIn, finding, nameOf, nodesOf, parse, read, sourcesIn } from "./source.js";

const NATIVE = /\.(cc|cpp|cu|cuh|h|hpp)$/;
const SCRIPTS = /\.(ts|mjs)$/;

/** Open ends in comments name the issue that closes them: TODO(#12). */
function findLooseTodos(path: string, text: string): Finding[] {
  // Any text: C++, YAML and shell have no parser here, and none has a reason to say the word in a string.
  return text.split("\n").flatMap((line, index) => {
    const isOpen = /(\/\/|\/\*|^\s*\*|#).*\b(TODO|FIXME|XXX|HACK)\b/.test(line);
    return isOpen && !/\bTODO\(#\d+\)/.test(line)
      ? [`${path}:${index + 1} an open end that names no issue: TODO(#12)`]
      : [];
  });
}

/** Tests that are switched off, or that switch off others; skipIf and runIf say when. */
function findSwitches(source: Source): Finding[] {
  const runners = ["it", "test", "describe", "suite", "bench"];
  const members = nodesOf(source, "MemberExpression").filter(
    (node) =>
      ["only", "skip", "todo", "fails"].includes(nameOf(node["property"]) ?? "") &&
      runners.includes(nameOf(node["object"]) ?? ""),
  );
  return members.map((node) => finding(source, node.start, `a test with .${nameOf(node["property"])}`));
}

/** Node-API lives in one file; everything else speaks the C interface. */
function findNodeApi(path: string, text: string): Finding[] {
  if (path === "gpu/native/binding.cc") return [];
  return /#\s*include\s*[<"](napi|node_api|node_api_types|js_native_api|js_native_api_types|napi-inl|node|v8|uv)\.h[>"]/.test(
    text,
  )
    ? [`${path} includes Node-API, which only gpu/native/binding.cc may know`]
    : [];
}

describe("open ends", () => {
  it("name an issue", () => {
    const paths = filesIn(["core", "gpu", "environments", "plugins", "examples", "test"], (path) => {
      return (
        (SCRIPTS.test(path) || NATIVE.test(path) || /\.ya?ml$/.test(path)) && !path.startsWith("test/conventions/")
      );
    });
    expect(paths.flatMap((path) => findLooseTodos(path, read(path)))).toEqual([]);
  });

  it("are found in every kind of comment", () => {
    for (const text of ["a(); // TODO later", "/* FIXME */", " * XXX: odd", "key: 1 # HACK"]) {
      expect(findLooseTodos("a.ts", text), text).toHaveLength(1);
    }
    expect(findLooseTodos("a.ts", "// TODO(#12): later\nconst TODO = 1;")).toEqual([]);
  });
});

describe("tests", () => {
  it("all run, or say when they do not", () => {
    expect(sourcesIn("test").flatMap(findSwitches)).toEqual([]);
    expect(
      findSwitches(
        parse("test/a.test.ts", "it.only(a, b); describe.skip(a, b); test.todo(a); it.only.each([])(a, b);"),
      ),
    ).toHaveLength(4);
    expect(findSwitches(parse("test/a.test.ts", "it.skipIf(c)(a, b); it.each([])(a, b); lines.skip(3);"))).toEqual([]);
  });
});

describe("Node-API", () => {
  it("is known to gpu/native/binding.cc alone", () => {
    const paths = filesIn(["gpu"], (path) => NATIVE.test(path));
    expect(paths.flatMap((path) => findNodeApi(path, read(path)))).toEqual([]);
    expect(findNodeApi("gpu/native/adamw.cc", "#include <napi.h>")).toHaveLength(1);
    expect(findNodeApi("gpu/native/adamw.cc", '# include "node_api.h"')).toHaveLength(1);
    expect(findNodeApi("gpu/native/adamw.cc", "#include <vector>")).toEqual([]);
    expect(findNodeApi("gpu/native/binding.cc", "#include <napi.h>")).toEqual([]);
  });
});
