import { basename, dirname, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { type Finding, type Source, filesIn, finding, parse, read, sourcesIn, walk } from "./source.js";

const PACKAGES = ["core", "gpu", "environments", "plugins", "examples", "test"];
const CATCH_ALL = ["utils", "util", "helpers", "helper", "common", "types", "misc", "shared"];
const MAX_LINES = 300;

/** Methods are plugins: outside plugins/ and examples/ nothing in the code, comments apart, knows their names. */
const METHODS =
  /(?<![a-z])(tfpi|auto-?think|rmt|ace-?reason|adapt-?think|thinkless|think-?prune|shorter-?better|dler|grpo|dr-?grpo|gspo|dapo|rloo|reinforce(-?(pp|plus-?plus|\+\+))?|cispo)(?![a-z])/i;

function findBadNames(paths: readonly string[]): Finding[] {
  return paths.flatMap((path) => {
    const parts = path.split("/").map((part) => part.replace(/\.(test\.)?(ts|mjs)$/, ""));
    const catchAll = parts.find((part) => CATCH_ALL.includes(part));
    if (catchAll !== undefined) return [`${path} is called "${catchAll}", which says nothing`];
    const odd = parts.find((part) => !/^\d*[a-z0-9]*(-[a-z0-9]+)*(\.config)?$/.test(part));
    return odd === undefined ? [] : [`${path}: "${odd}" is not kebab-case`];
  });
}

/** Whether a path's index.ts is a plugin, an environment or an example, which lives there. */
function isHome(path: string): boolean {
  return /^(plugins|environments|examples)\/[^/]+\/index\.ts$/.test(path);
}

function findBusyIndex(source: Source): Finding[] {
  if (basename(source.path) !== "index.ts" || isHome(source.path)) return [];
  const statements = source.program["body"];
  if (!Array.isArray(statements)) return [];
  const reexports = ["ExportAllDeclaration", "ExportNamedDeclaration"];
  return statements
    .filter((statement) => !reexports.includes(statement.type) || statement.source === null)
    .map((statement) => finding(source, statement.start, "index.ts does more than re-export"));
}

/** Past this size a comment says why it is "one file", in these words. */
function findUnexplainedSize(source: Source): Finding[] {
  const lines = source.text.trimEnd().split("\n").length;
  const isExplained = source.comments.some((comment) => /\bone\s+(\*\s+|\/\/\s+)?file\b/.test(comment.text));
  // A catalogue is one table however long it grows.
  const isExempt = source.path.startsWith("test/") || basename(source.path) === "errors.ts";
  if (lines <= MAX_LINES || isExplained || isExempt) return [];
  return [`${source.path} has ${lines} lines, and no comment says why it is one file`];
}

function findMethodNames(source: Source): Finding[] {
  const findings: Finding[] = [];
  walk(source.program, (node) => {
    const words =
      node.type === "TemplateElement" ? source.text.slice(node.start, node.end) : (node["name"] ?? node["value"]);
    if (
      typeof words !== "string" ||
      !["Identifier", "PrivateIdentifier", "Literal", "TemplateElement"].includes(node.type)
    )
      return;
    // A name in camelCase is several words.
    const method = METHODS.exec(words.replace(/([a-z])([A-Z])/g, "$1-$2"));
    if (method !== null)
      findings.push(finding(source, node.start, `names the method "${method[0]}", which is a plugin's business`));
  });
  return findings;
}

describe("files", () => {
  it("have names in kebab-case that say what is in them", () => {
    expect(findBadNames(filesIn(PACKAGES, (path) => /\.(ts|mjs)$/.test(path)))).toEqual([]);
  });

  it.each([
    "core/src/utils.ts",
    "core/src/helpers/a.ts",
    "core/src/common.ts",
    "gpu/src/types.ts",
    "core/src/runLoop.ts",
    "core/src/run_loop.ts",
  ])("finds %s", (path) => {
    expect(findBadNames([path])).toHaveLength(1);
  });

  it("over 300 lines say why they are one", () => {
    expect(sourcesIn(...PACKAGES).flatMap(findUnexplainedSize)).toEqual([]);
    const long = "f();\n".repeat(MAX_LINES + 1);
    expect(findUnexplainedSize(parse("core/src/a.ts", long))).toHaveLength(1);
    expect(findUnexplainedSize(parse("core/src/a.ts", `/** It is one file because. */\n${long}`))).toEqual([]);
  });

  it("called index.ts only re-export, unless a plugin, an environment or an example lives there", () => {
    expect(sourcesIn(...PACKAGES).flatMap(findBusyIndex)).toEqual([]);
    expect(findBusyIndex(parse("core/src/index.ts", 'export const a = 1; import "b"; export { c };'))).toHaveLength(3);
    expect(
      findBusyIndex(parse("core/src/index.ts", '/** A. */ export * from "a"; export type { B } from "b";')),
    ).toEqual([]);
    expect(findBusyIndex(parse("plugins/x/index.ts", "export default 1;"))).toEqual([]);
  });
});

describe("methods", () => {
  it("are unknown to core, gpu and environments", () => {
    expect(sourcesIn("core", "gpu", "environments").flatMap(findMethodNames)).toEqual([]);
  });

  it.each([
    "const grpo = 1;",
    "f('autothink');",
    "import x from 'dr-grpo';",
    "type TfpiStage = 1;",
    "const a = `run ${b} dapo`;",
    "this.useRloo();",
    "a.autoThink = 1;",
  ])("finds the one in %s", (text) => {
    expect(findMethodNames(parse("core/src/a.ts", text))).toHaveLength(1);
  });

  it("may be cited in comments, and are not seen in other words", () => {
    expect(
      findMethodNames(parse("core/src/a.ts", "// Source: GRPO.\nconst reinforced = `automate thinking`;")),
    ).toEqual([]);
  });
});

/**
 * Lines of a method: comments, blank lines, brackets alone, imports, and what a setting says of itself are left aside.
 */
function methodLines(text: string): number {
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/^(?:import|export) [^;]*? from "[^"]*";\n/gm, "")
    .replace(/\.describe\(\s*(["'`])(?:\\.|(?!\1)[\s\S])*\1,?\s*\)/g, "");
  return code.split("\n").filter((line) => /\w/.test(line)).length;
}

describe("plugins", () => {
  const folders = [...new Set(filesIn(["plugins"], (path) => isHome(path)).map((path) => dirname(path)))];

  it.each(folders)("%s is under 300 lines, and each of its files too", (folder) => {
    const files = filesIn([folder], (path) => path.endsWith(".ts")).map((path) => read(path));
    expect(files.reduce((sum, text) => sum + methodLines(text), 0)).toBeLessThan(300);
    for (const text of files) expect(text.split("\n").length).toBeLessThanOrEqual(MAX_LINES);
  });

  it("are counted without what is no code", () => {
    const text = '/** A. */\nimport { z } from "a";\n// why\nconst b = z.number().describe(\n  "c d",\n);\n\nf(\n);\n';
    expect(methodLines(text)).toBe(2);
  });
});

describe("README.md", () => {
  it("stands in every package, plugin and environment", () => {
    const homes = filesIn(["plugins", "environments"], (path) => isHome(path)).map((path) => dirname(path));
    const packages = PACKAGES.filter((name) => name !== "test");
    const missing = [...packages, ...homes]
      .map((folder) => posix.join(folder, "README.md"))
      .filter((path) => !isFilled(path));
    expect(missing).toEqual([]);
  });
});

function isFilled(path: string): boolean {
  return filesIn([dirname(path)], (found) => found === path).length === 1 && read(path).trim() !== "";
}
