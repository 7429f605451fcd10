import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exposeRef } from "../../core/src/actors/comlink-facade.js";
import * as core from "../../core/src/index.js";
import { ROOT, type Source, importsOf, lineOf, listOf, parse, read, resolveRelative, sourcesIn } from "./source.js";

/** An `@example` of a docstring. */
interface Example {
  readonly place: string;
  readonly path: string;
  readonly code: string;
}

/** Modules that examples load on threads of their own. */
const MODULES: Readonly<Record<string, string>> = {
  "package.json": '{ "type": "module" }',
  "counter.js": `export const counter = {
    name: "counter", module: import.meta.url, exportName: "counter",
    init: ({ from }) => ({ sum: from }), on: { add: (state, amount) => (state.sum += amount) },
  };`,
  "count.js": "export const count = (text) => text.length;",
};

function examplesOf(source: Source): Example[] {
  return source.comments
    .filter((comment) => comment.text.startsWith("/**"))
    .flatMap((comment) => {
      const lines = comment.text
        .replace(/^\/\*\*|\*\/$/g, "")
        .split("\n")
        .map((line) => line.replace(/^\s*\* ?/, ""));
      const start = lines.findIndex((line) => line.trim() === "@example");
      if (start < 0) return [];
      const rest = lines.slice(start + 1);
      const end = rest.findIndex((line) => line.startsWith("@"));
      const code = rest
        .slice(0, end < 0 ? undefined : end)
        .join("\n")
        .trim();
      return [{ place: `${source.path}:${lineOf(source, comment.start) + start}`, path: source.path, code }];
    });
}

/** A value that an example says it gives: exact, or rounded to so many places. */
interface Claim {
  readonly value: unknown;
  readonly decimals: number | undefined;
}

/**
 * What a comment claims: a JavaScript value, after it a colon and words. "≈" before it, or "…" after a number, means
 * rounded. Anything else is prose, and claims nothing.
 */
function claimOf(comment: string): Claim | undefined {
  const isRounded = /≈|…/.test(comment);
  const text = comment
    .replace(/^\s*≈\s*/, "")
    .replaceAll("…", "")
    .trim();
  for (const candidate of [text, text.replace(/:\s.*$/s, "")]) {
    try {
      const value: unknown = new Function(`"use strict"; return (${candidate}\n);`)();
      const places = [...candidate.matchAll(/\.(\d+)/g)].map((match) => match[1]?.length ?? 0);
      return { value, decimals: isRounded ? Math.max(0, ...places) : undefined };
    } catch {
      // Not a value; a shorter reading may be one.
    }
  }
  return undefined;
}

/** Puts every claim of an example into its code: `f(1); // 2` becomes `$claim(f(1), "2");`. */
function withClaims(code: string): string {
  const source = parse("example.ts", code);
  let result = code;
  for (const statement of listOf(source.program, "body").toReversed()) {
    if (statement.type !== "ExpressionStatement") continue;
    const comment = source.comments.find(({ start }) => start >= statement.end);
    const isNext = comment !== undefined && /^;?\s*$/.test(code.slice(statement.end, comment.start));
    const text = isNext && comment.text.startsWith("//") ? comment.text.slice(2) : "";
    const expression = code.slice(statement.start, statement.end).replace(/;$/, "");
    result = `${result.slice(0, statement.start)}$claim(${expression}, ${JSON.stringify(text)});${result.slice(statement.end)}`;
  }
  return result;
}

/** Runs an example where the given names are known; returns the claims that do not hold. */
async function run(code: string, known: Readonly<Record<string, unknown>>): Promise<string[]> {
  const wrong: string[] = [];
  const claim = (actual: unknown, comment: string): void => {
    const claimed = claimOf(comment);
    if (claimed === undefined) return;
    try {
      if (claimed.decimals === undefined) expect(plain(actual)).toEqual(plain(claimed.value));
      else expectClose(plain(actual), plain(claimed.value), claimed.decimals);
    } catch {
      wrong.push(`gives ${JSON.stringify(actual)}, not ${comment.trim()}`);
    }
  };
  const runnable = withClaims(code)
    .replaceAll("import.meta.resolve(", "$resolve(")
    .replace(/^export default /m, "const $exported = ")
    .replace(/^export /gm, "")
    .replaceAll("import.meta.url", '"file:///example.js"');
  const script = transformSync(`async function example() {\n${runnable}\n}`, { loader: "ts", target: "es2022" }).code;
  const names = Object.keys(known).filter((name) => name !== "default");
  const example: () => Promise<void> = new Function(
    "$claim",
    "$resolve",
    ...names,
    `"use strict";\n${script}\nreturn example;`,
  )(claim, resolve, ...names.map((name) => known[name]));
  await example();
  return wrong;
}

/** Typed arrays as arrays: an example writes their values. */
function plain(value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(Object.values(value)) : value;
}

function expectClose(actual: unknown, expected: unknown, decimals: number): void {
  if (typeof expected === "number") expect(actual).toBeCloseTo(expected, decimals);
  else if (typeof expected === "object" && expected !== null) {
    expect(actual).toBeTypeOf("object");
    for (const [key, value] of Object.entries(expected))
      expectClose(Object.entries(actual ?? {}).find(([name]) => name === key)?.[1], value, decimals);
  } else expect(actual).toEqual(expected);
}

const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "troupe-examples-"));
const resolve = (specifier: string): string => pathToFileURL(join(folder, specifier)).href;
const system = new core.ActorSystem();
const scenery: Record<string, unknown> = {
  parityTasks: { size: 2, at: () => ({}) },
  parityVerifier: { name: "parity", version: "1.0.0", verify: () => ({}) },
  stdout: new PassThrough(),
  stderr: new PassThrough(),
};

beforeAll(async () => {
  for (const [name, text] of Object.entries(MODULES)) writeFileSync(join(folder, name), text);
  const { counter } = await import(resolve("counter.js"));
  scenery["counter"] = counter;
  // What a thread would be started with.
  scenery["workerData"] = { counter: exposeRef(await system.spawn(counter, { from: 1 })) };
  // Some examples write files.
  process.chdir(folder);
});
afterAll(async () => {
  await system.stop();
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

/** What a module exports, and what its relative imports do: the names that stand around its docstrings. */
async function namesAround(path: string): Promise<Readonly<Record<string, unknown>>> {
  const neighbours = importsOf(parse(path, read(path))).filter(({ specifier }) => specifier.startsWith("."));
  const paths = [path, ...neighbours.map(({ specifier }) => resolveRelative(path, specifier))];
  return Object.assign({}, ...(await Promise.all(paths.map((one) => import(join(ROOT, one))))));
}

const examples = sourcesIn("core/src", "core/cli", "gpu/src", "environments", "plugins").flatMap(examplesOf);

describe("docstring examples", () => {
  it("exist", () => expect(examples.length).toBeGreaterThan(15));

  it.each(examples)("$place runs and gives what it says", async ({ path, code }) => {
    expect(await run(code, { ...core, ...(await namesAround(path)), ...scenery })).toEqual([]);
  });

  it("are found wrong when a value or a name is", async () => {
    expect(
      await run("one(); // 1\ntwo(); // ≈ 2.1\nthree(); // { a: 3 }", {
        one: () => 1,
        two: () => 2.14,
        three: () => ({ a: 3 }),
      }),
    ).toEqual([]);
    expect(await run("one(); // 2", { one: () => 1 })).toEqual(["gives 1, not 2"]);
    expect(await run("one(); // ≈ [1.25]", { one: () => new Float32Array([1.26]) })).toHaveLength(1);
    expect(await run("one(); // false: nothing was kept", { one: () => true })).toHaveLength(1);
    expect(await run("one(); // some words", { one: () => true })).toEqual([]);
    await expect(run("one();", {})).rejects.toThrow("one is not defined");
  });
});
