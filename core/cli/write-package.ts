import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errors } from "../src/errors.js";
import type { ModuleKind } from "../src/config/resolve-module.js";
import { onFile } from "../src/store/durable-files.js";

/** @throws OPTION_NOT_VALID unless a package can be called so */
export function checkPackageName(name: string): void {
  if (!/^[a-z][a-z0-9-]*$/.test(name))
    throw errors.optionNotValid({ option: "NAME", found: name, wanted: "lower-case letters, digits and hyphens" });
}

/** The `package.json` of a new plugin or environment. */
export function packageManifest(kind: ModuleKind, name: string): string {
  return `${JSON.stringify(
    {
      name: `troupe-${kind}-${name}`,
      version: "0.1.0",
      type: "module",
      exports: { ".": "./index.ts", "./package.json": "./package.json" },
      scripts: { check: `troupe ${kind === "plugin" ? "plugin" : "env"} check .`, test: "vitest run" },
      peerDependencies: { "@troupe/core": "^0.1.0" },
      devDependencies: { vitest: "^4.0.0" },
    },
    null,
    2,
  )}\n`;
}

/**
 * Writes files, by their names, into a new folder; gives the names.
 *
 * @throws FOLDER_TAKEN, DISK_FULL, FILE_NOT_PERMITTED
 */
export async function writePackage(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const root = resolve(folder);
  if (existsSync(root)) throw errors.folderTaken({ folder: root });
  for (const [file, content] of Object.entries(files)) {
    const path = join(root, file);
    await onFile(path, "write", async () => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { flag: "wx" });
    });
  }
  return Object.keys(files);
}
