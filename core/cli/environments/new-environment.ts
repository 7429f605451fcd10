import { errors } from "../../src/errors.js";
import { checkPackageName, packageManifest, writePackage } from "../write-package.js";
import { ENVIRONMENT_KINDS, type EnvironmentKind } from "./environment-templates.js";

/** Writes an environment package that works as it stands, with its test, into a new folder; gives the files' names. */
export async function newEnvironment(name: string, kind: string, folder: string): Promise<readonly string[]> {
  checkPackageName(name);
  const template = isKind(kind) ? ENVIRONMENT_KINDS[kind] : undefined;
  if (!template) {
    const wanted = `one of ${Object.keys(ENVIRONMENT_KINDS).join(", ")}`;
    throw errors.optionNotValid({ option: "--kind", found: kind, wanted });
  }
  return writePackage(folder, {
    "package.json": packageManifest("environment", name),
    "index.ts": template.source(name),
    "index.test.ts": testOf(name, template.test),
    "README.md": readme(name, template.summary),
  });
}

function isKind(kind: string): kind is EnvironmentKind {
  return Object.hasOwn(ENVIRONMENT_KINDS, kind);
}

function testOf(name: string, own: string): string {
  return `import { tryEnvironment } from "@troupe/core/plugin-kit";
import { Random } from "@troupe/core/sdk";
import { describe, expect, test } from "vitest";
import environment from "./index.js";

describe("${name}", () => {
  test("keeps every promise of the environment contract", async () => {
    const broken = (await tryEnvironment(".", import.meta.dirname)).filter(({ isKept }) => !isKept);
    expect(broken).toEqual([]);
    expect(environment.name).toBe("${name}");
  });

${own}
});
`;
}

function readme(name: string, summary: string): string {
  return `# troupe-environment-${name}

${summary}

    environment: { use: ./${name}, with: {} }      # this folder, or the package's name once it is installed

\`troupe env check .\` reads the source and tries the environment contract; \`npm test\` runs the tests beside it.
\`troupe env serve .\` offers it to others over WebSocket, as OpenEnv does.
`;
}
