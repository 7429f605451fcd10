import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveModule } from "../../../core/src/config/resolve-module.js";
import { bundleModule, evaluateBundle, placeOf } from "../../../core/src/hooks/module-bundle.js";
import { runScript } from "../../support/run-script.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function load(name: string): Promise<unknown> {
  return evaluateBundle("plugin", name, await bundleModule("plugin", name, folder));
}

describe("resolveModule()", () => {
  test("takes a path from the base directory: a file, or a folder with an index", () => {
    const file = write("one.ts", "export default 1;");
    mkdirSync(join(folder, "two"));
    writeFileSync(join(folder, "two", "index.ts"), "export default 2;");
    expect(resolveModule("plugin", "./one.ts", folder)).toBe(file);
    expect(resolveModule("plugin", "./two", folder)).toBe(join(folder, "two", "index.ts"));
    expect(resolveModule("environment", join(folder, "two"), "/")).toBe(join(folder, "two", "index.ts"));
  });

  test("finds what the packages of the repository hold, wherever the config lies", () => {
    expect(resolveModule("environment", "arithmetic", folder)).toMatch(/environments\/arithmetic\/index\.ts$/);
  });

  test("rejects with MODULE_NOT_FOUND and every place it looked", () => {
    expect(() => resolveModule("plugin", "no-such-thing", folder)).toThrow(
      expect.objectContaining({
        code: "MODULE_NOT_FOUND",
        message:
          'Cannot find plugin "no-such-thing": looked for @troupe/plugins/no-such-thing, troupe-plugin-no-such-thing, no-such-thing',
      }),
    );
    expect(() => resolveModule("environment", "./no-such-thing", folder)).toThrow(
      `Cannot find environment "./no-such-thing": looked for ${join(folder, "no-such-thing")}`,
    );
  });
});

describe("bundleModule()", () => {
  test("gives the same hash for the same content, wherever it is built", async () => {
    write("same.ts", "export default { a: 1 };");
    const [first, again] = [
      await bundleModule("plugin", "./same.ts", folder),
      await bundleModule("plugin", "./same.ts", folder),
    ];
    expect(again.hash).toBe(first.hash);
    write("same.ts", "export default { a: 2 };");
    expect((await bundleModule("plugin", "./same.ts", folder)).hash).not.toBe(first.hash);
  });

  test("rejects with MODULE_BUILD_FAILED at file:line:column of a syntax error", async () => {
    write("broken.ts", "const a = 1;\nexport default { a: };\n");
    await expect(bundleModule("plugin", "./broken.ts", folder)).rejects.toMatchObject({
      code: "MODULE_BUILD_FAILED",
      message: expect.stringMatching(/^Cannot build plugin ".\/broken\.ts": \S*broken\.ts:2:21 Unexpected "}"$/),
    });
  });

  test("names the import that leads nowhere", async () => {
    write("lost.ts", 'import { a } from "./gone.js";\nexport default a;\n');
    await expect(bundleModule("plugin", "./lost.ts", folder)).rejects.toThrow(
      /lost\.ts:1:19 Could not resolve "\.\/gone\.js"$/,
    );
  });
});

describe("evaluateBundle()", () => {
  test("gives the module this copy of the SDK and Node's own modules", async () => {
    write(
      "imports.ts",
      'import { basename } from "node:path";\nimport { TroupeError } from "@troupe/core/sdk";\nexport default [basename("/a/b"), new TroupeError("A", "b", { hint: "" })];',
    );
    expect(await load("./imports.ts")).toEqual(["b", expect.objectContaining({ code: "A" })]);
  });

  test("rejects with MODULE_LOAD_FAILED and the place in the source when the top level throws", async () => {
    const file = write(
      "throws.ts",
      'type A = 1;\n\nfunction fail(): A {\n  throw new RangeError("not today");\n}\nexport default fail();\n',
    );
    await expect(load("./throws.ts")).rejects.toMatchObject({
      code: "MODULE_LOAD_FAILED",
      message: `Cannot load plugin "./throws.ts": RangeError: not today at ${file}:4:9`,
    });
  });

  test("rejects with MODULE_LOAD_FAILED when there is no default export", async () => {
    const file = write("bare.ts", "export const a = 1;");
    await expect(load("./bare.ts")).rejects.toThrow(`Cannot load plugin "./bare.ts": "${file}" has no default export`);
  });

  test("leaves nothing behind: the heap is flat over 200 versions of a plugin", async () => {
    const { stdout, stderr } = await runScript(`
      import { setFlagsFromString } from "node:v8";
      import { runInNewContext } from "node:vm";
      import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
      import { join } from "node:path";
      import { bundleModule, evaluateBundle } from "CORE/hooks/module-bundle.js";
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc");
      const folder = mkdtempSync("/tmp/troupe-memory-");
      const file = join(folder, "large.ts");
      // Every version is another text with 300 kB of data of its own, as a plugin with its dependencies is.
      writeFileSync(file, 'import { z } from "@troupe/core/sdk";\\nexport default { version: "VERSION", data: Array.from({ length: 20_000 }, (_, i) => ({ i })), z };');
      const { code, ...bundle } = await bundleModule("plugin", file, folder);
      const evaluate = (version) => evaluateBundle("plugin", file, { ...bundle, hash: "hash" + version, code: code.replace("VERSION", String(version)) });
      const heapAfter = (from, to) => {
        let last;
        for (let version = from; version < to; version++) last = evaluate(version);
        if (last.version !== String(to - 1)) throw new Error("evaluated something else");
        last = undefined;
        collect(); collect();
        return process.memoryUsage().heapUsed;
      };
      const warm = heapAfter(0, 20);
      const end = heapAfter(20, 220);
      rmSync(folder, { recursive: true });
      console.log(JSON.stringify({ grownBytes: end - warm }));
    `);
    expect(stderr).toBe("");
    // Kept versions would be 200 × 0.6 MB; a collection on a busy machine leaves a few MB.
    expect(JSON.parse(stdout).grownBytes).toBeLessThan(20e6);
  });
});

describe("placeOf()", () => {
  test('gives "" for an error that does not come from the bundle, or is none', async () => {
    write("calm.ts", "export default 1;");
    const bundle = await bundleModule("plugin", "./calm.ts", folder);
    expect(placeOf(new Error("from here"), bundle)).toBe("");
    expect(placeOf("text", bundle)).toBe("");
  });
});
