import { describe, expect, it } from "vitest";
import { type Finding, type Source, finding, importsOf, parse, resolveRelative, sourcesIn } from "./source.js";

/** Package → the packages it may import. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  core: [],
  gpu: ["core"],
  environments: ["core"],
  plugins: ["core"],
  examples: ["core", "gpu", "environments", "plugins"],
  test: ["core", "gpu", "environments", "plugins", "examples"],
};

/** Plugins and environments are written as a stranger would write them: against the SDK alone. */
const SDK_ONLY = ["environments", "plugins"];

/**
 * Rooms of core, lowest first. A room imports from the rows before its own; rooms of one row, the stages among them,
 * do not know each other.
 */
const CORE: readonly (readonly string[])[] = [
  ["errors"],
  ["records"],
  ["numerics"],
  ["config", "actors"],
  ["hooks"],
  ["environments", "engines"],
  ["rollout", "verify", "learn", "store"],
  ["live"],
  ["run", "data"],
  ["rpc"],
  ["plugin-kit"],
  ["sdk"],
  ["index"],
  ["cli"],
];

/** Imports that no row allows, and why they stand. */
const EXCEPTIONS: readonly { readonly from: RegExp; readonly to: string }[] = [
  // Plugins are given this very copy of the SDK, so that its classes are theirs.
  { from: /^core\/src\/hooks\/module-bundle\.ts$/, to: "core/src/sdk.ts" },
  // The references speak the types of the contract that native code is held to; the contract itself imports records.
  { from: /^core\/src\/numerics\//, to: "core/src/engines/policy-engine.ts" },
];

/** Set-up runs before anything is installed or compiled. */
const BARE = ["core/setup", "core/bin"];

/** The package of a path: its first folder. */
function packageOf(path: string): string {
  return path.split("/")[0] ?? "";
}

/** The room of a path within core: its folder; the files that stand beside the rooms are the run, but for these. */
function roomOf(path: string): string {
  const [, area = "", first = "", rest] = path.split("/");
  if (area !== "src") return area;
  if (rest !== undefined) return first;
  if (first === "errors.ts" || first === "error-catalogue.ts") return "errors";
  return first === "sdk.ts" || first === "index.ts" ? first.replace(".ts", "") : "run";
}

function rowOf(room: string): number {
  return CORE.findIndex((row) => row.includes(room));
}

function findWrongImports(source: Source): Finding[] {
  return importsOf(source).flatMap(({ specifier, start }) => {
    const problem = specifier.startsWith(".")
      ? relativeProblem(source.path, specifier)
      : bareProblem(source.path, specifier);
    return problem === undefined ? [] : [finding(source, start, problem)];
  });
}

function bareProblem(path: string, specifier: string): string | undefined {
  const own = packageOf(path);
  if (BARE.some((folder) => path.startsWith(`${folder}/`))) {
    return /^(node:|fs$|url$)/.test(specifier)
      ? undefined
      : `set-up imports "${specifier}", which may not be installed yet`;
  }
  const other = /^@troupe\/([\w-]+)/.exec(specifier)?.[1];
  if (other === undefined) return undefined;
  if (other === own) return `"${own}" imports itself as "${specifier}"; a relative path leads there`;
  if (PACKAGES[own]?.includes(other) !== true) return `"${own}" may not import "${other}"`;
  if (SDK_ONLY.includes(own) && specifier !== "@troupe/core/sdk")
    return `"${own}" imports "${specifier}" instead of "@troupe/core/sdk"`;
  return undefined;
}

function relativeProblem(path: string, specifier: string): string | undefined {
  const target = resolveRelative(path, specifier);
  const own = packageOf(path);
  if (packageOf(target) !== own) {
    // Tests read sources, so that they run without a build.
    if (own === "test")
      return PACKAGES[own]?.includes(packageOf(target)) === true
        ? undefined
        : `"${specifier}" leaves the repository's packages`;
    return `"${specifier}" leaves the package "${own}"; name the other package instead`;
  }
  if (own !== "core" || BARE.some((folder) => path.startsWith(`${folder}/`))) return undefined;
  const [from, to] = [roomOf(path), roomOf(target)];
  if (from === to || EXCEPTIONS.some((one) => one.from.test(path) && one.to === target)) return undefined;
  if (rowOf(from) < 0 || rowOf(to) < 0)
    return `room "${rowOf(from) < 0 ? from : to}" has no row in the table of test/conventions/imports.test.ts`;
  return rowOf(to) < rowOf(from) ? undefined : `room "${from}" may not import "${to}"`;
}

describe("imports point one way", () => {
  it("between packages and inside core", () => {
    const sources = sourcesIn("core", "gpu", "environments", "plugins", "examples", "test");
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.flatMap(findWrongImports)).toEqual([]);
  });

  it.each([
    ["core/src/run.ts", 'import "@troupe/gpu";', '"core" may not import "gpu"'],
    ["core/src/run.ts", 'await import("@troupe/plugins/x");', '"core" may not import "plugins"'],
    ["plugins/x/index.ts", 'import "@troupe/environments/y";', '"plugins" may not import "environments"'],
    ["plugins/x/index.ts", 'import "@troupe/core";', '"plugins" imports "@troupe/core" instead of "@troupe/core/sdk"'],
    ["plugins/x/index.ts", 'import "../../core/src/run.js";', 'leaves the package "plugins"'],
    ["gpu/src/index.ts", 'import type { A } from "../../plugins/x/index.js";', 'leaves the package "gpu"'],
    ["core/src/rollout/a.ts", 'import "../verify/b.js";', 'room "rollout" may not import "verify"'],
    ["core/src/records/a.ts", 'import type { B } from "../hooks/b.js";', 'room "records" may not import "hooks"'],
    ["core/src/hooks/a.ts", 'export * from "../sdk.js";', 'room "hooks" may not import "sdk"'],
    ["core/src/store/a.ts", 'import "../run.js";', 'room "store" may not import "run"'],
    ["core/src/run-parts.ts", 'import "../cli/main.js";', 'room "run" may not import "cli"'],
    ["core/src/attic/a.ts", 'import "../errors.js";', 'room "attic" has no row'],
    ["core/setup/a.mjs", 'import "zod";', "set-up imports"],
    ["test/a.test.ts", 'import "../../shared/a.js";', "leaves the repository"],
  ])("finds what %s does with %s", (path, text, message) => {
    expect(findWrongImports(parse(path, text))).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ["core/src/run.ts", 'import "./store/a.js"; import "./errors.js"; import "node:path"; import "zod";'],
    ["core/src/run-parts.ts", 'import "./run.js";'],
    ["core/cli/main.ts", 'import "../src/run.js";'],
    ["plugins/x/index.ts", 'import "@troupe/core/sdk"; import "../errors.js";'],
    ["test/core/a.test.ts", 'import "../../core/src/run.js"; import "vitest";'],
  ])("leaves %s alone", (path, text) => {
    expect(findWrongImports(parse(path, text))).toEqual([]);
  });
});
