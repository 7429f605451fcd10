import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const gpu = new URL("../../gpu/", import.meta.url);

describe("native tests", () => {
  it("pass with every kernel set of this CPU", () => {
    execFileSync(process.execPath, [fileURLToPath(new URL("build.mjs", gpu)), "--tests"]);
    const { stdout, status } = spawnSync(fileURLToPath(new URL("build/Release/native-tests", gpu)), {
      encoding: "utf8",
    });
    expect(stdout).toBe("all native tests passed\n");
    expect(status).toBe(0);
  });
});
