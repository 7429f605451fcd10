import { errors } from "../../src/errors.js";
import { checkPackageName, packageManifest, writePackage } from "../write-package.js";
import { PLUGIN_KINDS, type PluginKind } from "./plugin-templates.js";

/** Writes a plugin package that works as it stands, with its test, into a new folder; gives the files' names. */
export async function newPlugin(name: string, kind: string, folder: string): Promise<readonly string[]> {
  checkPackageName(name);
  const known = Object.hasOwn(BY_HOOK, kind) ? BY_HOOK[kind] : kind;
  const template = known !== undefined && isKind(known) ? PLUGIN_KINDS[known] : undefined;
  if (!template)
    throw errors.optionNotValid({
      option: "--kind",
      found: kind,
      wanted: `one of ${Object.keys(PLUGIN_KINDS).join(", ")}`,
    });
  return writePackage(folder, {
    "package.json": packageManifest("plugin", name),
    "index.ts": template.source(name),
    "index.test.ts": testOf(name, template.test),
    "README.md": readme(name, template.summary),
  });
}

/** Hooks that are not called as their kind. */
const BY_HOOK: Readonly<Record<string, PluginKind>> = { plan: "curriculum", observe: "metric" };

function isKind(kind: string): kind is PluginKind {
  return Object.hasOwn(PLUGIN_KINDS, kind);
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
