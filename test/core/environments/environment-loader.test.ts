import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadEnvironment, unpackEnvironment } from "../../../core/src/environments/environment-loader.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { UNRULY } from "../../support/unruly.js";

const folder = temporaryFolder();

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return `./${name}`;
}

describe("loadEnvironment()", () => {
  test("checks the settings and fills in defaults; what travels to another thread makes the same environment", async () => {
    const loaded = await loadEnvironment(UNRULY, { every: 3 }, folder);
    expect(loaded).toMatchObject({
      definition: { name: "unruly" },
      config: { fault: "none", every: 3, promptWords: 1 },
    });
    const there = unpackEnvironment(structuredClone({ bundle: loaded.bundle, config: loaded.config }));
    expect(there).toMatchObject({ definition: { name: "unruly", version: "1.0.0" }, config: loaded.config });
    const context = { baseDirectory: folder, seed: 1 };
    const train = await there.definition.taskset(there.config, "train", context);
    expect([train.size, train.at(5).id]).toEqual([Infinity, "train/5"]);
  });

  test("rejects with ENVIRONMENT_CONFIG_NOT_VALID and every problem with its path", async () => {
    await expect(loadEnvironment(UNRULY, { every: 0, fault: "sleep" }, folder)).rejects.toMatchObject({
      code: "ENVIRONMENT_CONFIG_NOT_VALID",
      exitCode: 2,
      message: expect.stringMatching(
        /^Cannot use the settings of environment "unruly": fault: "sleep" was found, one of "none", .+ is wanted; every: 0 was found, at least 1 is wanted$/,
      ),
    });
  });

  test("rejects with ENVIRONMENT_NOT_VALID what is no environment, naming what is missing", async () => {
    const half = write("half.ts", 'export default { name: "half", version: "1.0.0", config: {} };');
    await expect(loadEnvironment(half, {}, folder)).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_VALID",
      message: `Cannot use environment "${half}": "taskset" is missing from the default export`,
    });
    await expect(loadEnvironment(write("null.ts", "export default null;"), {}, folder)).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_VALID",
    });
  });

  test("rejects as plugins do what cannot be found, built or loaded", async () => {
    await expect(loadEnvironment("no-such-one", {}, folder)).rejects.toMatchObject({
      code: "MODULE_NOT_FOUND",
      message: expect.stringContaining("looked for @troupe/environments/no-such-one, troupe-environment-no-such-one"),
    });
    await expect(loadEnvironment(write("broken.ts", "export default {"), {}, folder)).rejects.toMatchObject({
      code: "MODULE_BUILD_FAILED",
    });
    await expect(
      loadEnvironment(write("throws.ts", 'throw new Error("no");\nexport default 1;'), {}, folder),
    ).rejects.toMatchObject({
      code: "MODULE_LOAD_FAILED",
      message: expect.stringMatching(/Error: no at .*throws\.ts:1:7$/),
    });
  });
});
