import { createHash } from "node:crypto";
import { createRequire, SourceMap } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { resolveModule, type ModuleKind } from "../config/resolve-module.js";
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

/**
 * Bundles a module into one CommonJS text. Re-importing an ES module keeps every old version in memory for ever, while
 * a text evaluated as a function is freed with its last user.
 *
 * @throws MODULE_BUILD_FAILED with the place of the first syntax error or unresolved import
 */
export async function bundleModule(kind: ModuleKind, name: string, baseDirectory: string): Promise<ModuleBundle> {
  const path = resolveModule(kind, name, baseDirectory);
  // The threads that evaluate bundles never make one.
  const { build } = await import("esbuild");
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
