import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resolveModule } from "../../../core/src/config/resolve-module.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();
mkdirSync(join(folder, "my-env"));
writeFileSync(join(folder, "my-env", "index.ts"), "export default 1;\n");
mkdirSync(join(folder, "notes"));

function hintFor(name: string): unknown {
  try {
    return resolveModule("environment", name, folder);
  } catch (error) {
    expect(error).toMatchObject({ code: "MODULE_NOT_FOUND" });
    return error instanceof Error && "hint" in error ? error.hint : undefined;
  }
}

describe("resolveModule()", () => {
  it("names the path in its hint when a name is that of a folder with an entry file, and finds that path", () => {
    expect(hintFor("my-env")).toBe("There is ./my-env: write it so, as a path begins with ./");
    expect(hintFor("./my-env")).toBe(join(folder, "my-env", "index.ts"));
  });

  it("suggests the installed module with the nearest name", () => {
    expect(hintFor("maths")).toBe(
      'Did you mean "math"? If not, give a path that begins with ./, or install the package',
    );
  });

  it.each(["my-emv", "notes", "./my-emv"])(
    "says what to do about %s in general when there is no such module",
    (name) => {
      expect(hintFor(name)).toBe("Correct the name, give a path that begins with ./, or install the package");
    },
  );
});
