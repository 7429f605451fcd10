import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { createRequire, SourceMap } from "node:module";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { errors } from "../errors.js";
import * as sdk from "../sdk.js";

/** A plugin or environment as one immutable piece of code, identified by its content; structured-cloneable. */
export interface ModuleBundle {
  /** SHA-256 of `code`, first 16 hexadecimal digits. */
  readonly hash: string;
  /** CommonJS text with everything the module imports except the SDK and Node's own modules. */
  readonly code: string;
  readonly sourceMap: string;
  /** The entry file. */
  readonly path: string;
  /** Every file that went into it: what a watcher looks at. */
  readonly inputs: readonly string[];
}

/** What a name in a config may stand for. */
export type ModuleKind = "plugin" | "environment";

const INDEX_FILES = ["index.ts", "index.js", "index.mjs"];

/**
 * Finds the entry file of a plugin or environment. A path (it begins with "." or "/") is taken from `baseDirectory`;
 * a name is looked up as a folder of `@troupe/plugins` or `@troupe/environments`, then as the package
 * `troupe-plugin-<name>` (`troupe-environment-<name>`), then as a package of that very name.
 *
 * @throws MODULE_NOT_FOUND
 */
export function resolveModule(kind: ModuleKind, name: string, baseDirectory: string): string {
  if (name.startsWith(".") || isAbsolute(name)) {
    const path = resolve(baseDirectory, name);
    const file = entryFile(path);
    if (file) return file;
    throw errors.moduleNotFound({ kind, name, tried: [path] });
  }
  const requires = [createRequire(join(resolve(baseDirectory), "x.js")), createRequire(import.meta.url)];
  const family = kind === "plugin" ? "@troupe/plugins" : "@troupe/environments";
  const tried: string[] = [];
  for (const require of requires) {
    const own = tryResolve(require, `${family}/package.json`);
    const file = own && entryFile(join(dirname(own), name));
    if (file) return file;
    for (const packageName of [`troupe-${kind}-${name}`, name]) {
      const manifest = tryResolve(require, `${packageName}/package.json`);
      const entry = manifest && tryResolve(require, packageName);
      if (entry) return entry;
      tried.push(packageName);
    }
  }
  throw errors.moduleNotFound({ kind, name, tried: [`${family}/${name}`, ...new Set(tried)] });
}

function entryFile(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (statSync(path).isFile()) return path;
  return INDEX_FILES.map((file) => join(path, file)).find((file) => existsSync(file));
}

function tryResolve(require: NodeJS.Require, id: string): string | undefined {
  try {
    return require.resolve(id);
  } catch {
    return undefined;
  }
}

/**
 * Bundles a module into one CommonJS text. Re-importing an ES module keeps every old version in memory for ever, while
 * a text evaluated as a function is freed with its last user.
 *
 * @throws MODULE_BUILD_FAILED with the place of the first syntax error or unresolved import
 */
export async function bundleModule(kind: ModuleKind, name: string, baseDirectory: string): Promise<ModuleBundle> {
  const path = resolveModule(kind, name, baseDirectory);
  try {
    const result = await build({
      entryPoints: [path],
      bundle: true,
      write: false,
      platform: "node",
      format: "cjs",
      target: "node20",
      // A module's code is strict; that of a function is only where it says so.
      banner: { js: '"use strict";' },
      external: ["@troupe/core/sdk"],
      // A text has no place of its own: what looks for files beside it starts at its entry.
      define: { "import.meta.url": JSON.stringify(pathToFileURL(path).href) },
      sourcemap: "external",
      outfile: `${path}.bundle.js`,
      logLevel: "silent",
      metafile: true,
    });
    const code = result.outputFiles.find((file) => file.path.endsWith(".js"))?.text ?? "";
    const sourceMap = result.outputFiles.find((file) => file.path.endsWith(".map"))?.text ?? "";
    const inputs = Object.keys(result.metafile.inputs).map((file) => resolve(file));
    return { hash: createHash("sha256").update(code).digest("hex").slice(0, 16), code, sourceMap, path, inputs };
  } catch (cause) {
    throw errors.moduleBuildFailed({ kind, name, problem: firstProblem(cause) }, cause);
  }
}

function firstProblem(cause: unknown): string {
  // esbuild's failure carries a list of messages with their places.
  const first = (cause as { errors?: { text: string; location?: { file: string; line: number; column: number } }[] })
    .errors?.[0];
  if (!first) return String(cause);
  return first.location
    ? `${first.location.file}:${first.location.line}:${first.location.column + 1} ${first.text}`
    : first.text;
}

/**
 * Evaluates a bundle and returns its default export. The module sees the SDK and Node's own modules, nothing else.
 *
 * @throws MODULE_LOAD_FAILED when its top level throws or it has no default export
 */
export function evaluateBundle(kind: ModuleKind, name: string, bundle: ModuleBundle): unknown {
  const exported: { exports: { default?: unknown } } = { exports: {} };
  const nodeRequire = createRequire(bundle.path);
  const require = (id: string): unknown => (id === "@troupe/core/sdk" ? sdk : nodeRequire(id));
  try {
    const evaluate = new Function("require", "module", "exports", `${bundle.code}\n//# sourceURL=${sourceUrl(bundle)}`);
    evaluate(require, exported, exported.exports);
  } catch (cause) {
    throw errors.moduleLoadFailed({ kind, name, problem: `${String(cause)}${placeOf(cause, bundle, " at ")}` }, cause);
  }
  if (exported.exports.default === undefined) {
    throw errors.moduleLoadFailed({ kind, name, problem: `"${bundle.path}" has no default export` });
  }
  return exported.exports.default;
}

function sourceUrl(bundle: ModuleBundle): string {
  return `troupe-bundle-${bundle.hash}/${basename(bundle.path)}`;
}

/** `file:line:column` in the plugin's own source of where an error was thrown, or "" when it was not in the bundle. */
export function placeOf(error: unknown, bundle: ModuleBundle, before = ""): string {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const frame = new RegExp(`${sourceUrl(bundle).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}:(\\d+):(\\d+)`).exec(stack);
  if (!frame?.[1] || !frame[2]) return "";
  // `new Function` puts its head, two lines, before the text.
  const entry = new SourceMap(JSON.parse(bundle.sourceMap)).findEntry(Number(frame[1]) - 3, Number(frame[2]) - 1);
  if (!("originalSource" in entry)) return "";
  const source = entry.originalSource.startsWith("file:")
    ? fileURLToPath(entry.originalSource)
    : resolve(dirname(bundle.path), entry.originalSource);
  return `${before}${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}
