import { describe, expect, it } from "vitest";
import { codeOf } from "../../core/src/error-catalogue.js";
import {
  type Finding,
  type Node,
  type Source,
  finding,
  isNode,
  listOf,
  nameOf,
  nodesOf,
  parse,
  read,
  sourcesIn,
  walk,
} from "./source.js";

const PAGE = "core/docs/errors.md";

const sources = () => sourcesIn("core", "gpu", "environments", "plugins", "examples");

interface Entry {
  readonly source: Source;
  readonly code: string;
  readonly node: Node;
}

/** Every entry of the tables given to defineErrors(). */
function entriesOf(source: Source): Entry[] {
  return nodesOf(source, "CallExpression")
    .filter((call) => nameOf(call["callee"]) === "defineErrors")
    .flatMap((call) => listOf(call, "arguments").slice(0, 1))
    .flatMap((table) => listOf(table, "properties"))
    .map((property) => ({ source, code: codeOf(nameOf(property["key"]) ?? ""), node: property }));
}

function findBadEntries(source: Source): Finding[] {
  return entriesOf(source).flatMap(({ code, node }) => {
    const fields = isNode(node["value"]) ? listOf(node["value"], "properties") : [];
    const textsOf = (name: string) =>
      fields.filter((field) => nameOf(field["key"]) === name).flatMap((field) => outcomesOf(field["value"]));
    const [messages, hints] = [textsOf("message"), textsOf("hint")];
    const problems = [
      messages.length === 0 && "has no message",
      hints.length === 0 && "has no hint",
      messages.some((text) => !text.startsWith("Cannot ")) && 'has a message that does not begin with "Cannot"',
      [...messages, ...hints].some((text) => text.endsWith(".")) && "ends with a period",
    ];
    return problems.flatMap((problem) =>
      problem === false ? [] : [finding(source, node.start, `${code} ${problem}`)],
    );
  });
}

/** The texts that an expression can give, "…" for what is filled in: strings, templates, sums, choices, functions. */
function outcomesOf(value: unknown): string[] {
  if (!isNode(value)) return [];
  switch (value.type) {
    case "Literal":
      return [nameOf(value) ?? ""];
    case "TemplateLiteral":
      return [
        listOf(value, "quasis")
          .map((quasi) => cookedOf(quasi))
          .join("…"),
      ];
    case "BinaryExpression":
      return outcomesOf(value["left"]).flatMap((left) => outcomesOf(value["right"]).map((right) => left + right));
    case "ConditionalExpression":
      return [...outcomesOf(value["consequent"]), ...outcomesOf(value["alternate"])];
    case "ParenthesizedExpression":
      return outcomesOf(value["expression"]);
    case "ArrowFunctionExpression":
      return outcomesOf(value["body"]);
    case "BlockStatement": {
      const texts: string[] = [];
      walk(value, (node) => {
        if (node.type === "ReturnStatement") texts.push(...outcomesOf(node["argument"]));
      });
      return texts;
    }
    default:
      return ["…"];
  }
}

function cookedOf(quasi: Node): string {
  const value = quasi["value"];
  return typeof value === "object" && value !== null && "cooked" in value && typeof value.cooked === "string"
    ? value.cooked
    : "";
}

/** `throw new Error(...)` where a catalogue has to speak. */
function findUncatalogued(source: Source): Finding[] {
  // A script that runs uncompiled has no catalogue to import.
  if (source.path.endsWith(".mjs")) return [];
  return nodesOf(source, "ThrowStatement").flatMap((node) => {
    const thrown = node["argument"];
    const made = isNode(thrown) && thrown.type === "NewExpression" ? nameOf(thrown["callee"]) : undefined;
    const isBuiltIn = made !== undefined && /^(Error|[A-Z]\w+Error)$/.test(made) && made !== "TroupeError";
    return isBuiltIn ? [finding(source, node.start, `throws a ${made} of its own; errors come from a catalogue`)] : [];
  });
}

/** Codes of the scripts that run before any catalogue is compiled: SetUpError("CODE", …) and "CODE: Cannot …". */
function setUpCodesOf(source: Source): string[] {
  const first = nodesOf(source, "NewExpression")
    .filter((node) => nameOf(node["callee"]) === "SetUpError")
    .flatMap((node) => nameOf(listOf(node, "arguments")[0]) ?? []);
  const printed = nodesOf(source, "Literal").flatMap(
    (node) => /^([A-Z_]+): Cannot /.exec(nameOf(node) ?? "")?.[1] ?? [],
  );
  return [...first, ...printed];
}

/** Codes that a page explains: the headings or table rows that begin with one. */
function codesOn(page: string): string[] {
  return [...page.matchAll(/^(?:#+ |\| )`([A-Z][A-Z0-9_]*)`/gm)].flatMap((match) => match[1] ?? []);
}

describe("error catalogues", () => {
  it("give every error a message and a hint, in the house's form", () => {
    expect(sources().flatMap(entriesOf).length).toBeGreaterThan(10);
    expect(sources().flatMap(findBadEntries)).toEqual([]);
  });

  it.each([
    ['{ message: "Cannot go: no way" }', "has no hint"],
    ['{ hint: "Go" }', "has no message"],
    ['{ message: "Bad thing", hint: "Go" }', 'does not begin with "Cannot"'],
    ['{ message: (d: D) => `Cannot go to ${d.a}.`, hint: "Go" }', "ends with a period"],
    ['{ message: "Cannot go: no way", hint: (d) => (d.a ? "Go" : "Stay.") }', "ends with a period"],
    ['{ message: () => { return "Oh"; }, hint: "Go" }', 'does not begin with "Cannot"'],
  ])("finds %s", (entry, problem) => {
    expect(findBadEntries(parse("core/src/errors.ts", `defineErrors({ noWay: ${entry} });`))).toEqual([
      expect.stringContaining(`NO_WAY ${problem}`.replace("NO_WAY does not", "NO_WAY has a message that does not")),
    ]);
  });

  it("use every code once", () => {
    const codes = sources()
      .flatMap(entriesOf)
      .map((entry) => entry.code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  it("are where every thrown error comes from", () => {
    expect(sources().flatMap(findUncatalogued)).toEqual([]);
    expect(findUncatalogued(parse("core/src/a.ts", 'throw new Error("bad");'))).toHaveLength(1);
    expect(findUncatalogued(parse("core/src/a.ts", 'throw new TypeError("bad");'))).toHaveLength(1);
    expect(findUncatalogued(parse("core/src/a.ts", "throw errors.bad({}); throw error;"))).toEqual([]);
  });
});

describe("core/docs/errors.md", () => {
  it("explains every code once, and none that does not exist", () => {
    const setUpCodes = sourcesIn("core/setup", "core/bin").flatMap(setUpCodesOf);
    expect(setUpCodes.length).toBeGreaterThan(4);
    const catalogued = sources().flatMap(entriesOf);
    const codes = [...new Set([...catalogued.map((entry) => entry.code), ...setUpCodes])];
    const explained = codesOn(read(PAGE));
    expect(codes.filter((code) => !explained.includes(code)).sort(), "not explained yet").toEqual([]);
    expect(explained.filter((code, index) => !codes.includes(code) || explained.indexOf(code) !== index)).toEqual([]);
  });
});
