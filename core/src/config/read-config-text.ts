import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { errors } from "../errors.js";

/** With the first config that is a program, not with every program that imports this package. */
const loadEsbuild = (): typeof import("esbuild") =>
  // What its typings say; `require` does not know.
  createRequire(import.meta.url)("esbuild") as typeof import("esbuild");

const CODE = [".ts", ".mts", ".js", ".mjs"];

/** Whether a config is a program whose default export is the settings, rather than YAML. */
export function isCodeConfig(path: string): boolean {
  return CODE.includes(extname(path));
}

/**
 * The text of a config: of a YAML file as it stands, of a TypeScript or JavaScript file its default export as JSON,
 * which is YAML too.
 *
 * @param path absolute
 * @throws CONFIG_NOT_FOUND, CONFIG_CODE_FAILED
 */
export function readConfigText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw errors.configNotFound({ path, problem: fileProblem(cause) }, cause);
  }
  return isCodeConfig(path) ? JSON.stringify(defaultExportOf(path)) : text;
}

/** Why a file cannot be read, in words. */
function fileProblem(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const words: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EISDIR: "it is a folder",
    EACCES: "reading it is not permitted",
  };
  return words[code] ?? (cause instanceof Error ? cause.message : String(cause));
}

function defaultExportOf(path: string): unknown {
  const module: { exports: { default?: unknown } } = { exports: {} };
  try {
    const { outputFiles } = loadEsbuild().buildSync({
      entryPoints: [path],
      bundle: true,
      write: false,
      platform: "node",
      format: "cjs",
      target: "node20",
      external: ["@troupe/core"],
      logLevel: "silent",
    });
    new Function("require", "module", "exports", outputFiles[0]?.text ?? "")(
      createRequire(path),
      module,
      module.exports,
    );
  } catch (cause) {
    throw errors.configCodeFailed({ path, problem: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
  if (module.exports.default === undefined)
    throw errors.configCodeFailed({ path, problem: "it has no default export" });
  return module.exports.default;
}
