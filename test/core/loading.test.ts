import { describe, expect, test } from "vitest";
import { runScript } from "../support/run-script.js";

/** Packages that are loaded with a built file of core. */
async function packagesOf(file: string): Promise<readonly string[]> {
  const hook = `export async function resolve(specifier, context, next) {
    const found = await next(specifier, context);
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(found.url)?.[1];
    if (name !== undefined) (await import("node:fs")).writeSync(1, name + "\\n");
    return found;
  }`;
  const end = await runScript(`
    import { register } from "node:module";
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hook)}));
    await import("CORE/../${file}");`);
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  return [...new Set(end.stdout.split("\n").filter((name) => name !== ""))].toSorted();
}

describe("loading", () => {
  test("the package loads no server, compiler, thread pool or engine", async () => {
    expect(await packagesOf("src/index.js")).toEqual([
      "@huggingface/jinja",
      "@huggingface/tokenizers",
      "comlink",
      "eventemitter3",
      "yaml",
      "zod",
    ]);
  });

  test("the list of commands, and what looks at a live run, load no more than they need", async () => {
    expect(await packagesOf("cli/main.js")).toEqual(["commander"]);
    expect(await packagesOf("cli/commands/actors.js")).toEqual([]);
    expect(await packagesOf("cli/commands/node.js")).toEqual([]);
  });
});
