import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errors } from "../../src/errors.js";
import { onFile } from "../../src/store/durable-files.js";
import { PLUGIN_KINDS, type PluginKind } from "./plugin-templates.js";

/** Writes a plugin package that works as it stands, with its test, into a new folder; gives the files' names. */
export async function newPlugin(name: string, kind: string, folder: string): Promise<readonly string[]> {
  if (!/^[a-z][a-z0-9-]*$/.test(name))
    throw errors.optionNotValid({ option: "NAME", found: name, wanted: "lower-case letters, digits and hyphens" });
  const template = isKind(kind) ? PLUGIN_KINDS[kind] : undefined;
  if (!template)
    throw errors.optionNotValid({
      option: "--kind",
      found: kind,
      wanted: `one of ${Object.keys(PLUGIN_KINDS).join(", ")}`,
    });
  const root = resolve(folder);
  if (existsSync(root)) throw errors.folderTaken({ folder: root });
  const files: Readonly<Record<string, string>> = {
    "package.json": manifest(name),
    "index.ts": template.source(name),
    "index.test.ts": testOf(name, template.test),
    "README.md": readme(name, template.summary),
  };
  for (const [file, content] of Object.entries(files)) {
    const path = join(root, file);
    await onFile(path, "write", async () => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { flag: "wx" });
    });
  }
  return Object.keys(files);
}

function isKind(kind: string): kind is PluginKind {
  return Object.hasOwn(PLUGIN_KINDS, kind);
}

function manifest(name: string): string {
  return `${JSON.stringify(
    {
      name: `troupe-plugin-${name}`,
      version: "0.1.0",
      type: "module",
      exports: { ".": "./index.ts", "./package.json": "./package.json" },
      scripts: { check: "troupe plugin check .", test: "vitest run" },
      peerDependencies: { "@troupe/core": "^0.1.0" },
      devDependencies: { vitest: "^4.0.0" },
    },
    null,
    2,
  )}\n`;
}

function testOf(name: string, own: string): string {
  return `import { samplesOf } from "@troupe/core/sdk";
import { tryContract } from "@troupe/core/plugin-kit";
import { describe, expect, test } from "vitest";
import plugin from "./index.js";

describe("${name}", () => {
  test("keeps every promise of the hook contract", async () => {
    const broken = (await tryContract(".", import.meta.dirname)).filter(({ isKept }) => !isKept);
    expect(broken).toEqual([]);
  });

${own}
});
`.replace(/import \{ samplesOf \}.*\n/, own.includes("samplesOf") ? "$&" : "");
}

function readme(name: string, summary: string): string {
  return `# troupe-plugin-${name}

${summary}

    plugins:
      - use: ./${name}          # this folder, or the package's name once it is installed
        with: {}

\`troupe plugin check .\` reads the source and tries the hook contract; \`npm test\` runs the tests beside it.
`;
}
