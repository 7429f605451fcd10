import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { errors } from "../errors.js";
import { nearest } from "./nearest.js";

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
  const family = familyOf(kind);
  const tried: string[] = [];
  for (const require of requiresOf(baseDirectory)) {
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
  const isPath = entryFile(resolve(baseDirectory, name)) !== undefined;
  const path = isPath ? { path: `./${name}` } : {};
  const guess = nearest(name, installedModules(kind, baseDirectory));
  throw errors.moduleNotFound({
    kind,
    name,
    tried: [`${family}/${name}`, ...new Set(tried)],
    ...path,
    ...(guess === undefined ? {} : { guess }),
  });
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

/** Names of the plugins, or environments, that a config can name without a path. */
export function installedModules(kind: ModuleKind, baseDirectory: string): readonly string[] {
  for (const require of requiresOf(baseDirectory)) {
    const manifest = tryResolve(require, `${familyOf(kind)}/package.json`);
    if (manifest === undefined) continue;
    const folder = dirname(manifest);
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !["dist", "node_modules"].includes(entry.name))
      .map(({ name }) => name)
      .filter((name) => entryFile(join(folder, name)) !== undefined);
  }
  return [];
}

const familyOf = (kind: ModuleKind): string => (kind === "plugin" ? "@troupe/plugins" : "@troupe/environments");

function requiresOf(baseDirectory: string): readonly NodeJS.Require[] {
  return [createRequire(join(resolve(baseDirectory), "x.js")), createRequire(import.meta.url)];
}
