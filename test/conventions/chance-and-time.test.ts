import { describe, expect, it } from "vitest";
import { type Finding, type Source, finding, nameOf, nodesOf, parse, sourcesIn } from "./source.js";

/** Object and member → where the value has to come from instead. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  "Math.random": "a seeded Random",
  "crypto.getRandomValues": "a seeded Random",
  "crypto.randomUUID": "a seeded Random",
  "Date.now": "Clock",
  "performance.now": "Clock",
  "process.hrtime": "Clock",
};

const ALLOWED = [
  // The one source of time.
  "core/src/actors/clock.ts",
  // Runs before anything is compiled, and shows how long each part took.
  "core/setup/step.mjs",
];

function findChanceAndTime(source: Source): Finding[] {
  if (ALLOWED.includes(source.path)) return [];
  const members = nodesOf(source, "MemberExpression").flatMap((node) => {
    const name = `${nameOf(node["object"])}.${nameOf(node["property"])}`;
    const instead = FORBIDDEN[name];
    return instead === undefined ? [] : [finding(source, node.start, `${name}: take it from ${instead}`)];
  });
  const dates = nodesOf(source, "NewExpression")
    .filter(
      (node) => nameOf(node["callee"]) === "Date" && Array.isArray(node["arguments"]) && node["arguments"].length === 0,
    )
    .map((node) => finding(source, node.start, "new Date(): take it from Clock"));
  return [...members, ...dates];
}

describe("chance and time", () => {
  it("come from seeded generators and the clock", () => {
    // Benchmarks measure time, and tests live in test/.
    expect(sourcesIn("core", "gpu", "environments", "plugins", "examples").flatMap(findChanceAndTime)).toEqual([]);
  });

  it.each([
    "Math.random();",
    "f(Math.random);",
    "Date.now();",
    "performance.now();",
    "new Date();",
    "crypto.randomUUID();",
    "process.hrtime.bigint();",
  ])("are found in %s", (text) => {
    expect(findChanceAndTime(parse("core/src/a.ts", text))).toHaveLength(1);
  });

  it.each(["Math.floor(1);", "new Date(0);", "clock.now();", '"Math.random()";', "// Date.now()"])(
    "are not seen in %s",
    (text) => {
      expect(findChanceAndTime(parse("core/src/a.ts", text))).toEqual([]);
    },
  );
});
